// What stands beside an alert: its neighbours at the same time, and alerts like it before and how they ended.

import { get } from "./api.js";
import { address } from "./address.js";
import { h } from "./dom.js";
import { sparkline } from "./sparkline.js";
import { clock, stamp } from "./times.js";
import { placeOf, say, stateOf, t } from "./words.js";

const NEIGHBOURS = 4;
const PAST = 50;
const LISTED = 5;

// Up to four sensors next to the alert's own, along its road or in its zone, with their readings over the same time.
export async function neighbours(alert) {
  const { place, subject, evidence } = alert;
  if (!place || !(place.road || place.zone)) return null;
  const { items } = await get("/v1/sensors", { road: place.road, zone: place.road ? null : place.zone, limit: 500 });
  const own = items.find((sensor) => sensor.id === subject);
  if (!own) return null;
  const away = place.road ? (sensor) => Math.abs((sensor.position_m ?? Infinity) - (own.position_m ?? 0)) : (sensor) => Math.hypot((sensor.lon ?? 999) - (own.lon ?? 0), (sensor.lat ?? 999) - (own.lat ?? 0));
  const near = items.filter((sensor) => sensor.id !== subject && sensor.kind === own.kind && (!place.road || sensor.direction === own.direction))
    .sort((a, b) => away(a) - away(b)).slice(0, NEIGHBOURS);
  if (place.road) near.sort((a, b) => a.position_m - b.position_m);
  if (!near.length) return null;
  const side = (sensor) => (place.road && own.position_m !== null && sensor.position_m !== null ? t(sensor.position_m < own.position_m ? "beside.upstream" : "beside.downstream") : null);
  return h("section", { class: "figure" }, h("h3", {}, t("beside.neighbours")), h("p", { class: "soft small" }, t("beside.neighbours_how", { metric: say("metrics", evidence.metric) })),
    h("ul", { class: "beside" }, near.map((sensor) => h("li", {},
      h("div", {}, h("a", { href: address("sensor", sensor.id) }, sensor.name ?? sensor.id), side(sensor) ? h("span", { class: "soft small" }, ` ${side(sensor)}`) : null),
      sparkline({ ...alert, id: `${alert.id} ${sensor.id}`, subject: sensor.id, place: sensor, evidence: { ...evidence, threshold: null, baseline: null } })))));
}

// Alerts of the same rule at this place before this one, by how they ended.
export async function past(alert) {
  const zone = alert.place?.zone;
  const [here, around] = await Promise.all([
    get("/v1/alerts", { rule: alert.rule, subject: alert.subject, limit: PAST }),
    zone ? get("/v1/alerts", { rule: alert.rule, zone, limit: PAST }) : { items: [] },
  ]);
  const known = new Map([...here.items, ...around.items].map((each) => [each.id, each]));
  known.delete(alert.id);
  const before = [...known.values()].filter((each) => each.started_at < alert.started_at).sort((a, b) => (a.started_at < b.started_at ? 1 : -1));
  if (!before.length) return h("section", { class: "figure" }, h("h3", {}, t("beside.past")), h("p", { class: "soft" }, t("beside.first")));
  const ends = new Map();
  for (const each of before) { const key = each.verdict ?? "none"; ends.set(key, (ends.get(key) ?? 0) + 1); }
  const said = [...ends].sort(([, a], [, b]) => b - a).map(([verdict, count]) => h("span", { class: "chip" }, `${count} × ${verdict === "none" ? t("beside.unjudged") : say("verdicts", verdict).toLowerCase()}`));
  return h("section", { class: "figure" }, h("h3", {}, t("beside.past")), h("div", { class: "chips" }, said),
    h("div", { class: "mini" }, before.slice(0, LISTED).map((each) => {
      const at = each.place?.time_zone ?? "UTC";
      return h("a", { href: address("alert", each.id) }, h("span", {}, each.subject === alert.subject ? t("beside.here") : placeOf(each)),
        h("span", { class: "soft small" }, stamp(each.started_at, at), " · ", stateOf(each, (value) => clock(value, at))));
    })));
}
