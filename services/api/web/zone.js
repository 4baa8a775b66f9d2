// One zone: what flows in, what its meters add up to, what is lost between them, and its nights.

import { get } from "./api.js";
import { address } from "./address.js";
import { figure } from "./chart.js";
import { h, icon, sized } from "./dom.js";
import { period } from "./period.js";
import { empty, failed, loading } from "./states.js";
import { clock, day, stamp } from "./times.js";
import { amount, nameOf, number, say, share, stateOf, t } from "./words.js";
import { factor, unitShown } from "./units.js";

const DAY_MS = 82800e3; // the shortest local day has 23 hours
const WHOLE = 0.95; // days of which less was measured are shown and not summed up

export default class Zone {
  element = h("article", {});
  #figures = [];

  constructor({ id, query }) { this.name = id; this.query = query; }

  async show() {
    const [{ items }, inlets, newest] = await Promise.all([get("/v1/sensors", { zone: this.name, limit: 1 }), get("/v1/sensors", { zone: this.name, kind: "dma_inlet", limit: 1 }), this.#newest()]);
    if (this.gone) return;
    this.zone = items[0]?.time_zone ?? "UTC";
    const head = (tools = null) => h("header", { class: "head" }, h("div", {}, h("a", { class: "back always quiet", href: "#/zones" }, icon("back", 20), t("nav.zones")), h("h1", { tabIndex: -1 }, this.name)), tools);
    if (!items.length || !newest) { this.element.replaceChildren(head(), empty(t(items.length ? "quality.none" : "zone.none"), t("quality.none_how"))); return; }
    if (!inlets.items.length) { this.element.replaceChildren(head(), empty(t("zone.no_inlet_title"), t("zone.no_inlet"), h("div", {}, h("a", { href: address("sensors", "", { zone: this.name }) }, t("nav.sensors"))))); return; }
    this.body = h("div", { class: "stack" }, loading());
    const turn = period({ spans: [["month", 30, t("period.month")], ["week", 7, t("period.week")], ["quarter", 91, t("period.quarter")]], end: newest, newest: () => this.#newest(), place: this.body, zone: this.zone, query: this.query, onTurn: (...when) => this.#load(...when) });
    this.turn = turn;
    this.element.replaceChildren(head(turn.element), this.body);
    turn.begin();
  }

  // When the newest reading was, in ms; 0 where there is none.
  async #newest() {
    const { columns } = await get("/v1/latest", { domain: "water", zone: this.name });
    const times = (columns.time ?? []).filter(Boolean).map((time) => Date.parse(time));
    return times.length ? Math.max(...times) + 1000 : 0;
  }

  async #load(from, to) {
    const mine = (this.asked = {});
    const query = { zone: this.name, start: new Date(from).toISOString(), end: new Date(to).toISOString() };
    try {
      const [balance, night, alerts] = await Promise.all([get("/v1/zones/balance", query), get("/v1/zones/night-flow", query), get("/v1/alerts", { zone: this.name, limit: 200 })]);
      if (mine === this.asked) this.#draw(balance.columns, night.columns, alerts.items.filter((alert) => Date.parse(alert.started_at) < to && (alert.cleared_at ? Date.parse(alert.cleared_at) : to) >= from), from, to);
    } catch (problem) {
      if (mine === this.asked) this.body.replaceChildren(failed(problem, () => this.#load(from, to)));
    }
  }

  #draw(balance, night, alerts, from, to) {
    for (const each of this.#figures) each.destroy();
    const over = (time) => Date.parse(time) >= from && Date.parse(time) + DAY_MS <= to;
    const times = (columns) => columns.time.map((time) => Date.parse(time) / 1000);
    const past = (columns, values) => values.map((value, i) => (over(columns.time[i]) ? value : null)); // a part of a day would look like a fall
    const inflow = balance.net_inflow_litres;
    const series = (metric, columns, values, unit) => ({ metric, unit, times: times(columns), values: past(columns, values), derived: false });
    const given = inflow.some((value) => value !== null);
    this.#figures = [
      figure(series(given ? "net_inflow_litres" : "metered_litres", balance, given ? inflow : balance.metered_litres, "L"), { zone: this.zone, daily: true, beside: given ? { times: times(balance), values: past(balance, balance.metered_litres), words: say("metrics", "metered_litres") } : null }),
      figure(series("balance_litres", balance, balance.balance_litres, "L"), { zone: this.zone, daily: true }),
      figure(series("night_flow_litres_per_h", night, night.night_flow_litres_per_h, "L/h"), { zone: this.zone, daily: true, beside: { times: times(night), values: past(night, night.metered_litres_per_h), words: say("metrics", "metered_litres_per_h") } }),
    ];
    const whole = balance.time.map((time, i) => over(time) && (balance.inflow_share[i] ?? 0) >= WHOLE && (balance.metered_share[i] ?? 0) >= WHOLE && balance.balance_litres[i] !== null);
    const days = whole.filter(Boolean).length;
    const sum = (values) => (days ? values.reduce((total, value, i) => total + (whole[i] ? value : 0), 0) : null);
    const [came, lost] = [sum(inflow), sum(balance.balance_litres)];
    const last = night.night_flow_litres_per_h.findLastIndex((value) => value !== null);
    const tile = (name, value, more = "") => h("div", { class: "tile" }, h("dt", {}, name), h("dd", {}, sized(value)), more ? h("dd", { class: "small soft" }, more) : null);
    const [first, second, third] = this.#figures;
    this.body.replaceChildren(
      h("dl", { class: "tiles" },
        tile(t("zone.inflow"), amount(came, "L"), t("zone.days", { count: days })), tile(t("zone.metered"), amount(sum(balance.metered_litres), "L")),
        tile(t("zone.lost"), amount(lost, "L"), came ? t("zone.of_inflow", { share: share(lost / came, 1) }) : ""), tile(t("zone.a_day"), amount(days ? lost / days : null, "L")),
        tile(t("zone.night"), amount(last < 0 ? null : night.night_flow_litres_per_h[last], "L/h"), last < 0 ? "" : day(night.time[last], this.zone))),
      h("section", { class: "panel" }, h("h2", {}, t("zone.flow")), first.element),
      h("div", { class: "pair" },
        h("section", { class: "panel" }, h("h2", {}, t("zone.between")), h("p", { class: "soft small" }, t("zone.between_how")), second.element),
        h("section", { class: "panel" }, h("h2", {}, t("zone.nights")), h("p", { class: "soft small" }, t("zone.nights_how")), third.element)),
      h("section", { class: "panel" }, h("h2", {}, t("zone.table")), this.#table(balance, night, whole)),
      h("section", { class: "panel" }, h("h2", {}, t("zone.alerts")), alerts.length ? h("div", { class: "mini" }, alerts.slice(0, 12).map((alert) => h("a", { href: address("alert", alert.id) },
        h("span", { class: `chip ${alert.active ? alert.severity : "good"}` }, icon(alert.active ? alert.severity : "good", 16), say("rules", alert.rule)),
        h("span", { class: "soft small" }, `${nameOf(alert)} · `, stamp(alert.started_at, this.zone), " · ", stateOf(alert, (value) => clock(value, this.zone)))))) : h("p", { class: "soft" }, t("corridor.no_alerts"))));
  }

  #table(balance, night, whole) {
    const nights = new Map(night.time.map((time, i) => [day(time, this.zone), night.night_flow_litres_per_h[i]]));
    const litres = (value) => number(value === null ? null : value * factor("L"));
    const rows = balance.time.map((time, i) => h("tr", {}, h("th", { scope: "row" }, day(time, this.zone), whole[i] ? null : h("span", { class: "soft small" }, ` ${t("zone.part")}`)),
      [balance.net_inflow_litres, balance.metered_litres, balance.balance_litres].map((values) => h("td", {}, litres(values[i]))),
      h("td", {}, number((nights.get(day(time, this.zone)) ?? NaN) * factor("L/h"))), h("td", {}, share(Math.min(balance.inflow_share[i] ?? 0, balance.metered_share[i] ?? 0))))).reverse();
    const unit = say("units", unitShown("L"));
    return h("div", { class: "table-wrap", tabIndex: 0, role: "region", "aria-label": t("zone.table") }, h("table", {},
      h("thead", {}, h("tr", {}, [t("zone.day"), `${say("metrics", "net_inflow_litres")}, ${unit}`, `${say("metrics", "metered_litres")}, ${unit}`, `${say("metrics", "balance_litres")}, ${unit}`, `${say("metrics", "night_flow_litres_per_h")}, ${say("units", unitShown("L/h"))}`, t("corridor.measured")].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, rows)));
  }

  destroy() { this.gone = true; this.turn?.destroy(); this.asked = null; for (const each of this.#figures) each.destroy(); }
}
