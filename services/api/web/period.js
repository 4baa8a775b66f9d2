// Chooses the time that a view is about: how long, and backwards or forwards from the newest data. It is kept in the address.

import { keep } from "./address.js";
import { h, icon } from "./dom.js";
import { clock } from "./times.js";
import { t } from "./words.js";

const DAY = 86400e3;

// spans: [[key, days, words], …]; end: ms of the newest data. `onTurn(from, to)` is called at each turn, and at once by `begin()`.
export function period({ spans, end, zone, query, onTurn }) {
  let span = spans.find(([key]) => key === query.span) ?? spans[0];
  let to = query.to ? Math.min(Date.parse(query.to) || end, end) : end;
  const label = h("span", { class: "period num", role: "status" });
  const choose = h("select", { "aria-label": t("chart.when"), onchange: () => { span = spans[Number(choose.value)]; turn(); } }, spans.map(([, , words], i) => h("option", { value: String(i), selected: spans[i] === span }, words)));
  const before = h("button", { type: "button", "aria-label": t("period.before"), onclick: () => { to -= span[1] * DAY; turn(); } }, icon("back", 20));
  const after = h("button", { type: "button", "aria-label": t("period.after"), onclick: () => { to = Math.min(end, to + span[1] * DAY); turn(); } }, icon("forward", 20));
  const turn = () => {
    keep({ span: span === spans[0] ? null : span[0], to: to === end ? null : new Date(to).toISOString() });
    after.disabled = to >= end;
    const from = to - span[1] * DAY;
    label.textContent = `${clock(from, zone)} – ${clock(to, zone)}`;
    onTurn(from, to, span);
  };
  return { element: h("div", { class: "tools" }, label, before, after, choose), begin: turn };
}
