// Finds sensors, zones, roads and alerts while a person types; arrows and Enter choose, from any page.

import { get } from "./api.js";
import { address } from "./address.js";
import { byId, h, later } from "./dom.js";
import { stamp } from "./times.js";
import { placeOf, say, t } from "./words.js";

const WAIT_MS = 150;
const SOME = 6;

const parts = (...words) => words.filter(Boolean).join(" · ");
const GROUPS = {
  sensors: (each) => [address("sensor", each.id), each.name ?? each.id, parts(each.name && each.id, say("kinds", each.kind), [each.road, each.direction].filter(Boolean).join(" "), each.zone)],
  zones: (each) => [address("zone", each.zone), each.zone, t("search.count", { count: each.sensors })],
  roads: (each) => [address("corridor", each.road, { direction: each.direction }), [each.road, each.direction].filter(Boolean).join(" "), t("search.count", { count: each.sensors })],
  alerts: (each) => [address("alert", each.id), parts(say("rules", each.rule), placeOf({ subject: each.subject, subject_kind: each.subject_kind, place: { name: each.name } })),
    h("span", {}, parts(say("severities", each.severity), say("alert_states", each.state)), " · ", stamp(each.raised_at, each.time_zone))],
};

export function search() {
  const box = byId("search-box");
  const list = byId("search-results");
  let at = -1;
  let request = null;
  let shown = null; // the text whose results are listed
  let enter = false; // Enter came before the results

  const options = () => [...list.querySelectorAll("[role=option]")];
  const text = () => box.value.trim();
  const close = () => { list.hidden = true; box.setAttribute("aria-expanded", "false"); box.removeAttribute("aria-activedescendant"); at = -1; shown = null; enter = false; };
  const show = (...rows) => { list.replaceChildren(...rows); list.hidden = false; box.setAttribute("aria-expanded", "true"); box.removeAttribute("aria-activedescendant"); at = -1; };
  const go = (place) => { request?.abort(); close(); box.value = ""; box.blur(); location.hash = place; };
  const mark = (index) => {
    const all = options();
    at = (index + all.length) % all.length;
    all.forEach((option, i) => option.setAttribute("aria-selected", String(i === at)));
    box.setAttribute("aria-activedescendant", all[at].id);
    all[at].scrollIntoView({ block: "nearest" });
  };

  function draw(found) {
    let number = 0;
    const option = ([place, name, about]) => {
      const row = h("div", { role: "option", id: `found-${number += 1}`, class: "found", "aria-selected": "false", onmousedown: (event) => { event.preventDefault(); go(place); } },
        h("b", {}, name), h("span", { class: "soft small" }, about));
      row.dataset.place = place;
      return row;
    };
    const groups = Object.entries(GROUPS).filter(([name]) => found[name].length).map(([name, describe]) => h("div", { role: "group", "aria-label": t(`search.${name}`) },
      h("div", { class: "group-name", "aria-hidden": "true" }, t(`search.${name}`)), found[name].map((each) => option(describe(each)))));
    byId("announcer").textContent = t("search.found", { count: number });
    if (groups.length) show(...groups);
    else show(h("div", { class: "note", role: "presentation" }, t("search.none")));
  }

  const look = later(async () => {
    const wanted = text();
    request?.abort();
    if (!wanted) return close();
    request = new AbortController();
    try {
      const found = await get("/v1/search", { q: wanted, limit: SOME }, { signal: request.signal });
      if (text() !== wanted) return;
      draw(found);
      shown = wanted;
      if (enter && options().length) go(options()[0].dataset.place);
      enter = false;
    } catch (problem) {
      if (problem.name !== "AbortError") show(h("div", { class: "note", role: "presentation" }, problem.message));
    }
  }, WAIT_MS);

  box.addEventListener("input", () => { enter = false; look(); });
  box.addEventListener("blur", () => setTimeout(() => { if (document.activeElement !== box) close(); }, 120)); // a person may be back already
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { request?.abort(); close(); box.value = ""; }
    if (event.key === "Enter" && text()) {
      event.preventDefault();
      if (shown === text() && options().length) go(options()[Math.max(at, 0)].dataset.place);
      else enter = true;
    }
    if (list.hidden || !options().length) return;
    if (event.key === "ArrowDown") { event.preventDefault(); mark(at + 1); }
    if (event.key === "ArrowUp") { event.preventDefault(); mark(Math.max(at, 0) - 1); }
  });
}
