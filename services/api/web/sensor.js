// One sensor: what it is, its newest values, its history and its alerts.

import { get } from "./api.js";
import { back } from "./case.js";
import { h, icon } from "./dom.js";
import { panel } from "./panel.js";
import { ago, clock, exactly, stamp } from "./times.js";
import { amount, placeOf, say, stateOf, t } from "./words.js";

const DAY = 86400e3;

export default class Sensor {
  element = h("article", { class: "sheet" });

  constructor({ id }) { this.id = id; }

  async show() {
    this.element.replaceChildren(back(), h("div", { class: "ghost" }));
    const path = `/v1/sensors/${encodeURIComponent(this.id)}`;
    const [sensor, latest, past] = await Promise.all([get(path), get(`${path}/latest`), get("/v1/alerts", { subject: this.id, limit: 20 })]);
    const metrics = Object.keys(latest.values);
    const facts = [
      sensor.cadence_s ? [t("sensor.reports"), t("sensor.every", { time: exactly(sensor.cadence_s) })] : null,
      [t("sensor.last"), latest.time ? h("span", {}, stamp(latest.time, sensor.time_zone), latest.age_s > 0 ? ` · ${ago(latest.time)}` : "") : t("sensor.none_yet")],
      ...metrics.map((name) => [say("metrics", name), amount(latest.values[name].value, latest.values[name].unit)]),
    ].filter(Boolean);
    this.element.replaceChildren(back(),
      h("div", {}, h("p", { class: "soft small" }, sensor.id), h("h2", { tabIndex: -1 }, sensor.name ?? sensor.id), h("p", { class: "soft" }, placeOf({ ...sensor, name: say("kinds", sensor.kind) }))),
      h("dl", { class: "facts" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
      this.#chart(sensor, latest, metrics),
      h("section", { class: "figure" }, h("h3", {}, t("sensor.alerts")), this.#past(past.items, sensor.time_zone)));
  }

  #chart(sensor, latest, metrics) {
    if (!metrics.length) return h("p", { class: "note" }, t("chart.none"));
    const end = Date.parse(latest.time) + 1000;
    const last = (days) => () => [end - days * DAY, end];
    const first = ["flow_litres_per_h", "speed_km_per_h", "consumption_litres"].find((name) => metrics.includes(name)) ?? metrics[0];
    this.chart = panel(sensor, { metrics, metric: first, ranges: [[t("sensor.day"), last(1)], [t("sensor.week"), last(7)], [t("sensor.month"), last(30)], [t("sensor.year"), last(365)]] });
    return this.chart.element;
  }

  #past(alerts, zone) {
    if (!alerts.length) return h("p", { class: "soft" }, t("sensor.never"));
    return h("div", { class: "mini" }, alerts.map((alert) => h("a", { href: `#/alert/${alert.id}` },
      h("span", { class: `chip ${alert.active ? alert.severity : "good"}` }, icon(alert.active ? alert.severity : "good", 16), say("rules", alert.rule)),
      h("span", { class: "soft small" }, stamp(alert.started_at, zone), " · ", stateOf(alert, (value) => clock(value, zone))))));
  }

  destroy() { this.chart?.destroy(); }
}
