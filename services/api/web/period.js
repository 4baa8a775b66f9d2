// Chooses the time that a view is about: how long, and backwards or forwards from the newest data. It is kept in the address.

import { keep } from "./address.js";
import { h, icon } from "./dom.js";
import { follow } from "./follow.js";
import { clock } from "./times.js";
import { t } from "./words.js";

const DAY = 86400e3;

// spans: [[key, days, words], …]; newest(): asks for the ms of the newest data, which was `end`. `onTurn(from, to)` is
// called at each turn, and at once by `begin()`. Who looks at the newest goes on with it, unless the keyboard is in
// `place` or a table of it is open.
export function period({ spans, end, newest, place, zone, query, onTurn }) {
  let span = spans.find(([key]) => key === query.span) ?? spans[0];
  let to = query.to ? Math.min(Date.parse(query.to) || end, end) : end;
  const label = h("span", { class: "period num", role: "status" });
  const choose = h("select", { "aria-label": t("chart.when"), onchange: () => { span = spans[Number(choose.value)]; turn(); } }, spans.map(([, , words], i) => h("option", { value: String(i), selected: spans[i] === span }, words)));
  const before = h("button", { type: "button", "aria-label": t("period.before"), onclick: () => { to -= span[1] * DAY; turn(); } }, icon("back", 20));
  const after = h("button", { type: "button", "aria-label": t("period.after"), onclick: () => { to = Math.min(end, to + span[1] * DAY); turn(); } }, icon("forward", 20));
  const turn = (asked = true) => {
    label.ariaLive = asked ? "polite" : "off"; // nobody is told again and again what time it is
    keep({ span: span === spans[0] ? null : span[0], to: to === end ? null : new Date(to).toISOString() });
    after.disabled = to >= end;
    const from = to - span[1] * DAY;
    label.textContent = `${clock(from, zone)} – ${clock(to, zone)}`;
    onTurn(from, to, span);
  };
  const following = follow(async () => {
    const found = await newest();
    const last = to === end;
    if (found <= end || (last && (place.contains(document.activeElement) || place.querySelector("details[open]")))) return;
    end = found;
    if (last) { to = end; turn(false); } else after.disabled = false;
  });
  return { element: h("div", {}, h("div", { class: "tools" }, label, before, after, choose), following.note), begin: turn, destroy: following.stop };
}
