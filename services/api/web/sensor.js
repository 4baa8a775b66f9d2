// One sensor: what it is, its newest values, its history, its days and its alerts.

import { get } from "./api.js";
import { address } from "./address.js";
import { h, icon } from "./dom.js";
import { follow } from "./follow.js";
import { heat } from "./heat.js";
import { history } from "./history.js";
import { ago, clock, exactly, stamp } from "./times.js";
import { whereabouts } from "./whereabouts.js";
import { amount, say, stateOf, t } from "./words.js";

const FIRST = ["flow_litres_per_h", "speed_km_per_h", "consumption_litres"];
const STALE_CADENCES = 10;
const LISTED = 12;

export default class Sensor {
  element = h("article", {});

  constructor({ id, query }) { this.id = id; this.query = query; }

  async show() {
    const path = `/v1/sensors/${encodeURIComponent(this.id)}`;
    const [sensor, latest, past] = await Promise.all([get(path), get(`${path}/latest`), get("/v1/alerts", { subject: this.id, limit: 100 })]);
    if (this.gone) return;
    const metrics = Object.keys(latest.values);
    if (metrics.includes("register_litres") && !metrics.includes("flow_litres_per_h")) metrics.unshift("flow_litres_per_h");
    const newest = h("dl", { class: "facts bare" }, facts(sensor, latest));
    this.following = follow(async () => newest.replaceChildren(...facts(sensor, await get(`${path}/latest`))));
    const days = h("div", {});
    this.element.replaceChildren(
      h("header", { class: "head" }, h("div", {}, h("a", { class: "back always quiet", href: "#/sensors" }, icon("back", 20), t("nav.sensors")),
        h("h1", { tabIndex: -1 }, sensor.name ?? sensor.id), h("p", {}, [say("kinds", sensor.kind), sensor.name ? sensor.id : null].filter(Boolean).join(" · "), sensor.road || sensor.zone || sensor.lat !== null ? " · " : "", whereabouts(null, sensor)))),
      h("section", { class: "panel" }, newest, this.following.note),
      this.#history(sensor, latest, metrics, past.items), days,
      h("section", { class: "panel" }, h("h2", {}, t("sensor.alerts")), this.#past(past.items, sensor.time_zone)));
    this.#days(days, sensor);
  }

  #history(sensor, latest, metrics, alerts) {
    if (!metrics.length) return h("p", { class: "note" }, t("chart.none"));
    const metric = FIRST.find((name) => metrics.includes(name)) ?? metrics[0];
    this.drawn = history(sensor, { metrics, metric, alerts, query: this.query, end: Date.parse(latest.time) + 1000 });
    return this.drawn.element;
  }

  // Its last four weeks, day by day; the list of sensors is asked by a part of the id, so the sensor is picked from it.
  async #days(place, sensor) {
    const page = await get("/v1/quality/days", { q: sensor.id, limit: 100 }).catch(() => null);
    const items = page?.items.filter((item) => item.sensor_id === sensor.id) ?? [];
    if (items.length && page.days.length) place.replaceChildren(heat({ ...page, items }, "complete"));
  }

  #past(alerts, zone) {
    if (!alerts.length) return h("p", { class: "soft" }, t("sensor.never"));
    return h("div", { class: "mini" }, alerts.slice(0, LISTED).map((alert) => h("a", { href: address("alert", alert.id) },
      h("span", { class: `chip ${alert.active ? alert.severity : "good"}` }, icon(alert.active ? alert.severity : "good", 16), say("rules", alert.rule)),
      h("span", { class: "soft small" }, stamp(alert.started_at, zone), " · ", stateOf(alert, (value) => clock(value, zone))))));
  }

  destroy() { this.gone = true; this.following?.stop(); this.drawn?.destroy(); }
}

// What a sensor reports, and what it said last.
function facts(sensor, latest) {
  const stale = latest.time && sensor.cadence_s && latest.age_s > STALE_CADENCES * sensor.cadence_s;
  return [
    sensor.cadence_s ? [t("sensor.reports"), t("sensor.every", { time: exactly(sensor.cadence_s) })] : null,
    [t("sensor.last"), latest.time ? h("span", {}, stamp(latest.time, sensor.time_zone), latest.age_s > 0 ? ` · ${ago(latest.time)} ` : "", stale ? h("span", { class: "chip warning" }, icon("warning", 16), t("sensor.stale")) : null) : t("sensor.none_yet")],
    ...Object.keys(latest.values).map((name) => [say("metrics", name), amount(latest.values[name].value, latest.values[name].unit)]),
    sensor.gateway ? [t("sensor.gateway"), sensor.gateway] : null,
  ].filter(Boolean).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)));
}
