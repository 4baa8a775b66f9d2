// One road in one direction: its speeds by time and distance, where it jams again and again, how long the way takes.

import { get } from "./api.js";
import { address } from "./address.js";
import { figure } from "./chart.js";
import { contour } from "./contour.js";
import { h, icon, sized } from "./dom.js";
import { period } from "./period.js";
import { empty, failed, loading } from "./states.js";
import { clock, exactly, span } from "./times.js";
import { amount, number, say, share, t } from "./words.js";

const BUCKETS = { six: "PT5M", day: "PT15M", week: "PT1H" };
const SECONDS = { six: 300, day: 900, week: 3600 };
const SLOW = 64; // km/h: 40 mph; with the drop below it the rule of Chen, Skabardonis and Varaiya 2004 for bottlenecks
const DROP = 32; // km/h: 20 mph
const APART_M = 4800; // 3 miles
const PAGES = 4;
const dark = matchMedia("(prefers-color-scheme: dark)");

export default class Corridor {
  element = h("article", {});

  constructor({ id, query }) { this.road = id; this.query = query; this.repaint = () => this.drawn?.redraw(); }

  async show() {
    const { direction } = this.query;
    const { items } = await get("/v1/sensors", { road: this.road, limit: 1000 });
    const stations = items.filter((sensor) => !direction || sensor.direction === direction);
    if (!stations.length) { this.element.replaceChildren(this.#head(direction), empty(t("corridor.none"), t("places.no_corridors_how"))); return; }
    this.direction = direction ?? stations[0].direction;
    this.zone = stations[0].time_zone;
    this.names = new Map(stations.map((sensor) => [sensor.id, sensor.name ?? sensor.id]));
    const newest = await this.#newest();
    if (this.gone) return;
    if (stations.filter((sensor) => sensor.direction === this.direction && sensor.position_m !== null).length < 2) { this.element.replaceChildren(this.#head(this.direction), empty(t("corridor.few"), t("places.no_corridors_how"))); return; }
    this.body = h("div", { class: "stack" }, loading());
    if (!newest) { this.element.replaceChildren(this.#head(this.direction), empty(t("quality.none"), t("quality.none_how"))); return; }
    const turn = period({ spans: [["day", 1, t("period.day")], ["six", 0.25, t("period.six")], ["week", 7, t("period.week")]], end: newest, newest: () => this.#newest(), place: this.body, zone: this.zone, query: this.query, onTurn: (...when) => this.#load(...when) });
    this.turn = turn;
    this.element.replaceChildren(this.#head(this.direction, turn.element), this.body);
    dark.addEventListener("change", this.repaint);
    turn.begin();
  }

  // When the newest reading was, in ms; 0 where there is none.
  async #newest() {
    const { columns } = await get("/v1/latest", { domain: "traffic", road: this.road, metrics: "speed_km_per_h" });
    const times = columns.time.filter(Boolean).map((time) => Date.parse(time));
    return times.length ? Math.max(...times) + 1000 : 0;
  }

  #head(direction, tools = null) {
    return h("header", { class: "head" }, h("div", {}, h("a", { class: "back always quiet", href: "#/corridors" }, icon("back", 20), t("nav.corridors")), h("h1", { tabIndex: -1 }, [this.road, direction].filter(Boolean).join(" "))), tools);
  }

  async #load(from, to, [name]) {
    const mine = (this.asked = {});
    const query = { road: this.road, direction: this.direction, bucket: BUCKETS[name], start: new Date(from).toISOString(), end: new Date(to).toISOString() };
    try {
      const [speeds, way, alerts] = await Promise.all([get("/v1/roads/contour", query), get("/v1/roads/travel-time", query), this.#alerts(from, to)]);
      if (mine === this.asked) this.#draw(speeds, way, alerts, SECONDS[name], to);
    } catch (problem) {
      if (mine === this.asked) this.body.replaceChildren(failed(problem, () => this.#load(from, to, [name])));
    }
  }

  // The road's alerts of this time: its pages are asked for until they are older.
  async #alerts(from, to) {
    const found = [];
    let after = null;
    for (let page = 0; page < PAGES; page += 1) {
      const { items, next } = await get("/v1/alerts", { road: this.road, direction: this.direction, limit: 500, after });
      found.push(...items.filter((alert) => Date.parse(alert.started_at) < to && (alert.cleared_at ? Date.parse(alert.cleared_at) : to) >= from));
      if (!next || Date.parse(items.at(-1)?.raised_at) < from - 86400e3) break;
      after = next;
    }
    return found;
  }

  #draw(speeds, way, alerts, step, to) {
    const at = new Map(speeds.sensor_id.map((id, i) => [id, i]));
    const grid = {
      times: speeds.times.map((time) => Date.parse(time)), step: step * 1000, positions_m: speeds.positions_m, speeds: speeds.speed_km_per_h, names: speeds.sensor_id.map((id) => this.names.get(id) ?? id),
      alerts: alerts.filter(({ subject, rule }) => at.has(subject) && (rule === "incident" || rule === "congestion")).map((alert) => ({ i: at.get(alert.subject), rule: alert.rule, from: Date.parse(alert.started_at), to: (alert.cleared_at ? Date.parse(alert.cleared_at) : to) })),
    };
    this.drawn?.destroy();
    this.time?.destroy();
    this.drawn = contour(grid, this.zone);
    const { columns } = way;
    const minutes = (name) => columns[name].map((value) => (value === null ? null : value / 60));
    const tenths = (value) => amount(value === undefined || value === null ? null : Math.round(value * 10) / 10, "min");
    const free = minutes("free_travel_time_s").find((value) => value !== null);
    const delays = columns.delay_s;
    const worst = delays.reduce((best, value, i) => (value !== null && value > (delays[best] ?? -1) ? i : best), -1);
    const last = delays.findLastIndex((value) => value !== null);
    const tile = (name, value, more = "") => h("div", { class: "tile" }, h("dt", {}, name), h("dd", {}, sized(value)), more ? h("dd", { class: "small soft" }, more) : null);
    this.time = figure({ metric: "travel_time_s", unit: "min", times: columns.time.map((time) => Date.parse(time) / 1000), values: minutes("travel_time_s"), derived: false },
      { zone: this.zone, usual: free ?? null, fromZero: true });
    this.body.replaceChildren(
      h("dl", { class: "tiles" }, tile(t("corridor.length"), amount(way.length_m / 1000, "km")), tile(t("corridor.free"), tenths(free)),
        tile(t("corridor.now"), tenths(minutes("travel_time_s")[last]), last < 0 ? "" : clock(columns.time[last], this.zone)),
        tile(t("corridor.worst"), tenths(worst < 0 ? null : delays[worst] / 60), worst < 0 ? "" : clock(columns.time[worst], this.zone)),
        tile(t("corridor.measured"), share(columns.measured_share.reduce((sum, each) => sum + (each ?? 0), 0) / (columns.measured_share.length || 1)), t("corridor.measured_of"))),
      h("section", { class: "panel" }, h("h2", {}, t("corridor.speeds")), h("p", { class: "soft small" }, t("corridor.upwards")), this.drawn.element, unfolding(() => this.#table(grid))),
      h("div", { class: "pair" },
        h("section", { class: "panel" }, h("h2", {}, t("corridor.time")), this.time.element, unfolding(this.time.table)),
        h("section", { class: "panel" }, h("h2", {}, t("corridor.bottlenecks")), h("p", { class: "soft small" }, t("corridor.bottlenecks_how", { slow: amount(SLOW, "km/h", 2), drop: amount(DROP, "km/h", 2) })), bottlenecks(grid)),
        h("section", { class: "panel" }, h("h2", {}, t("corridor.alerts")), this.#list(alerts))));
  }

  #list(alerts) {
    if (!alerts.length) return h("p", { class: "soft" }, t("corridor.no_alerts"));
    return h("div", { class: "mini" }, alerts.slice(0, 12).map((alert) => h("a", { href: address("alert", alert.id) },
      h("span", { class: `chip ${alert.active ? alert.severity : "good"}` }, icon(alert.active ? alert.severity : "good", 16), say("rules", alert.rule)),
      h("span", { class: "soft small" }, `${this.names.get(alert.subject) ?? alert.subject} · ${clock(alert.started_at, this.zone)}`, alert.cleared_at ? ` · ${span((Date.parse(alert.cleared_at) - Date.parse(alert.started_at)) / 1000)}` : ""))));
  }

  #table(grid) {
    const every = Math.ceil(grid.times.length / 96);
    return h("div", { class: "table-wrap", tabIndex: 0, role: "region", "aria-label": t("corridor.speeds") }, h("table", {},
      h("caption", {}, t("corridor.table", { zone: this.zone, unit: say("units", "km/h"), time: exactly((grid.step / 1000) * every) })),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("chart.time")), grid.names.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, grid.times.filter((_, k) => k % every === 0).map((time, k) => h("tr", {}, h("th", { scope: "row" }, clock(time, this.zone)), grid.speeds.map((speeds) => h("td", {}, number(speeds[k * every], 3))))))));
  }

  destroy() { this.gone = true; this.turn?.destroy(); dark.removeEventListener("change", this.repaint); this.drawn?.destroy(); this.time?.destroy(); this.asked = null; }
}

// The same as a table, made when it is unfolded.
function unfolding(table) {
  const made = h("details", { class: "as-table" }, h("summary", {}, t("chart.as_table")), h("div", {}));
  made.addEventListener("toggle", () => { if (made.open) made.lastElementChild.replaceChildren(table()); });
  return made;
}

// Where traffic stands upstream and flows downstream: hours of it between each two stations.
function bottlenecks(grid) {
  const found = [];
  for (let i = 0; i + 1 < grid.names.length; i += 1) {
    if (grid.positions_m[i + 1] - grid.positions_m[i] > APART_M) continue;
    const count = grid.times.filter((_, k) => { const [up, down] = [grid.speeds[i][k], grid.speeds[i + 1][k]]; return up !== null && down !== null && up < SLOW && down - up > DROP; }).length;
    if (count) found.push({ from: grid.names[i], to: grid.names[i + 1], seconds: (count * grid.step) / 1000 });
  }
  found.sort((a, b) => b.seconds - a.seconds);
  if (!found.length) return h("p", { class: "soft" }, t("corridor.no_bottleneck"));
  return h("div", { class: "table-wrap tall", tabIndex: 0 }, h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("corridor.between")), h("th", { scope: "col" }, t("corridor.stood")))),
    h("tbody", {}, found.slice(0, 8).map(({ from, to, seconds }) => h("tr", {}, h("td", {}, t("corridor.from_to", { from, to })), h("td", {}, span(seconds)))))));
}
