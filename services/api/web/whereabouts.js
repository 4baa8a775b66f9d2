// Where an alert or a sensor is, as links: the sensor, its road, its zone, its place on the map.

import { address } from "./address.js";
import { h } from "./dom.js";
import { t } from "./words.js";

// id: of the sensor; place: {name, road, direction, zone, lat, lon}, any of them unknown.
export function whereabouts(id, { name, road, direction, zone, lat, lon }) {
  const links = [
    id ? [address("sensor", id), name ?? id] : null,
    road ? [address("corridor", road, { direction }), [road, direction].filter(Boolean).join(" ")] : null,
    zone ? [address("zone", zone), zone] : null,
    lat === null || lat === undefined ? null : [address("map", "", { at: `${lat},${lon},16` }), t("alert.on_map")],
  ].filter(Boolean);
  return links.flatMap(([href, words], i) => [i ? " · " : "", h("a", { href }, words)]);
}
