// The register of sensors as a table: find, filter, open. Pages follow each other on request.

import { get } from "./api.js";
import { keep } from "./address.js";
import { h, later } from "./dom.js";
import { empty, failed, start } from "./states.js";
import { exactly } from "./times.js";
import { say, t } from "./words.js";

const PAGE = 200;
const KINDS = ["water_meter", "dma_inlet", "dma_outlet", "pump", "pressure", "tank_level", "traffic_station", "traffic_lane"];

export default class Sensors {
  element = h("article", {});
  #next = null;

  constructor({ query }) { this.query = query; }

  async show() {
    const box = h("input", { type: "search", value: this.query.q ?? "", maxLength: 100 });
    const kind = h("select", {}, h("option", { value: "" }, t("sensors.every_kind")), KINDS.map((name) => h("option", { value: name, selected: name === this.query.kind }, say("kinds", name))));
    this.body = h("tbody", {});
    this.more = h("button", { type: "button", class: "more", hidden: true, onclick: () => this.#load(true) }, t("sensors.more"));
    this.note = h("div", {});
    this.table = h("div", { class: "table-wrap tall", tabIndex: 0 }, h("table", { class: "list" }, h("caption", { class: "unseen" }, t("nav.sensors")),
      h("thead", {}, h("tr", {}, ["name", "kind", "zone", "road", "cadence"].map((name) => h("th", { scope: "col" }, t(`sensors.${name}`))))), this.body));
    const again = later(() => { this.query = { ...this.query, q: box.value.trim(), kind: kind.value }; keep({ q: this.query.q, kind: this.query.kind }); this.#load(); }, 200);
    box.addEventListener("input", again);
    kind.addEventListener("change", again);
    this.element.replaceChildren(h("header", { class: "head" }, h("div", {}, h("h1", { tabIndex: -1 }, t("nav.sensors")), h("p", {}, t("sensors.intro"))),
      h("div", { class: "tools" }, h("label", {}, t("sensors.find"), box), h("label", {}, t("sensors.kind"), kind))), this.note, this.table, this.more);
    await this.#load();
  }

  async #load(more = false) {
    const { q, kind, zone, road } = this.query;
    const mine = (this.asked = {});
    let page;
    try {
      page = await get("/v1/sensors", { q, kind, zone, road, limit: PAGE, after: more ? this.#next : null });
    } catch (problem) {
      if (mine === this.asked) this.note.replaceChildren(failed(problem, () => this.#load(more)));
      return;
    }
    if (mine !== this.asked) return;
    this.#next = page.next;
    const rows = page.items.map((sensor) => h("tr", {},
      h("td", {}, h("a", { href: `#/sensor/${encodeURIComponent(sensor.id)}` }, sensor.name ?? sensor.id), sensor.name ? h("div", { class: "soft small" }, sensor.id) : null),
      h("td", {}, say("kinds", sensor.kind)),
      h("td", {}, sensor.zone ? h("a", { href: `#/zone/${encodeURIComponent(sensor.zone)}` }, sensor.zone) : "–"),
      h("td", {}, sensor.road ? h("a", { href: `#/corridor/${encodeURIComponent(sensor.road)}` }, [sensor.road, sensor.direction].filter(Boolean).join(" ")) : "–"),
      h("td", {}, sensor.cadence_s ? exactly(sensor.cadence_s) : "–")));
    if (more) this.body.append(...rows);
    else this.body.replaceChildren(...rows);
    this.more.hidden = !page.has_more;
    const none = !this.body.children.length;
    this.table.hidden = none;
    this.note.replaceChildren(...(none ? [q || kind || zone || road ? empty(t("sensors.none"), t("search.none")) : start()] : []));
  }
}
