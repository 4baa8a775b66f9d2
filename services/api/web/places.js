// Lists of roads and of zones, with how many alerts are open on each: what needs a look stands first.

import { address } from "./address.js";
import { STATES, city, roadsOf, statesOf, zonesOf } from "./city.js";
import { h, icon, refill, seldom } from "./dom.js";
import { empty, start } from "./states.js";
import { number, t } from "./words.js";

const FINE = STATES.indexOf("fine");

// kind: "corridors" or "zones".
export class Places {
  element = h("article", {});

  constructor(kind, { cases }) { this.kind = kind; this.cases = cases; }

  async show() {
    const [town] = await Promise.all([city({ fresh: true }), this.cases.whole()]);
    if (this.gone) return;
    const roads = this.kind === "corridors";
    const all = roads
      ? roadsOf(town).map(({ road, direction, members }) => ({ name: [road, direction].filter(Boolean).join(" "), members, link: address("corridor", road, { direction }) }))
      : zonesOf(town).map(({ zone, members }) => ({ name: zone, members, link: address("zone", zone) }));
    const box = h("input", { type: "search", maxLength: 100 });
    const body = h("tbody", {});
    const note = h("div", {});
    const table = h("div", { class: "table-wrap tall narrow", tabIndex: 0 }, h("table", { class: "list" }, h("caption", { class: "unseen" }, t(`nav.${this.kind}`)),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t(`places.${this.kind}_name`)), h("th", { scope: "col" }, t("places.state")), h("th", { scope: "col", class: "num" }, t("places.alerts")), h("th", { scope: "col", class: "num" }, t("places.sensors")))), body));
    const draw = () => {
      const { states } = statesOf(town, this.cases);
      const text = box.value.trim().toLowerCase();
      const rows = all.filter(({ name }) => name.toLowerCase().includes(text)).map((each) => {
        const ill = each.members.filter((i) => states[i] < FINE);
        return { ...each, ill: ill.length, worst: ill.reduce((worst, i) => Math.min(worst, states[i]), FINE) };
      }).sort((a, b) => a.worst - b.worst || b.ill - a.ill || a.name.localeCompare(b.name, undefined, { numeric: true }));
      refill(body, rows.slice(0, 500).map((each) => h("tr", {}, h("td", {}, h("a", { href: each.link }, each.name)),
        h("td", {}, h("span", { class: `chip ${TONE[STATES[each.worst]]}` }, icon(TONE[STATES[each.worst]] || "info", 16), t(`map.${STATES[each.worst]}`))),
        h("td", { class: "num" }, number(each.ill)), h("td", { class: "num" }, number(each.members.length)))));
      table.hidden = !rows.length;
      note.replaceChildren(...(rows.length ? [] : [town.size ? empty(t(`places.no_${this.kind}`), t(`places.no_${this.kind}_how`)) : start()]));
    };
    this.draw = seldom(draw, 150);
    box.addEventListener("input", this.draw);
    this.cases.addEventListener("change", this.draw);
    this.element.replaceChildren(h("header", { class: "head" }, h("div", {}, h("h1", { tabIndex: -1 }, t(`nav.${this.kind}`)), h("p", {}, t(`places.${this.kind}_intro`))),
      h("div", { class: "tools" }, h("label", {}, t("places.find"), box))), note, table);
    draw();
  }

  destroy() { this.gone = true; this.cases.removeEventListener("change", this.draw); }
}

const TONE = { critical: "critical", warning: "warning", info: "info", trouble: "warning", fine: "good" };
