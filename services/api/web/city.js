// The city as the map and its lists see it: every sensor with its place, and how it is by the alerts that are open now.

import { get } from "./api.js";

export const STATES = ["critical", "warning", "info", "trouble", "fine"]; // from what needs most to what needs nothing
const TROUBLE = new Set(["silent", "stuck", "sensor_fault"]);

let kept = null; // what the server sent last, for the next page that asks

export async function city({ fresh = false } = {}) {
  if (kept && !fresh) return kept;
  const columns = await get("/v1/map");
  const at = new Map(columns.id.map((id, i) => [id, i]));
  kept = { ...columns, at, size: columns.id.length };
  return kept;
}

// The state of each sensor, as an index into STATES, and which alert says so.
export function statesOf(town, cases) {
  const states = new Uint8Array(town.size).fill(STATES.indexOf("fine"));
  const alerts = new Map();
  for (const alert of cases.listed("open")) {
    const i = town.at.get(alert.subject);
    if (i === undefined || !alert.active) continue;
    const state = STATES.indexOf(TROUBLE.has(alert.rule) ? "trouble" : alert.severity);
    if (state < states[i]) { states[i] = state; alerts.set(i, alert); }
  }
  return { states, alerts };
}

// Roads as lines through their stations in the direction of travel: [{road, direction, points: [[lat, lon], …]}].
export function roadsOf(town) {
  const lines = town.roads.map(([road, direction]) => ({ road, direction, members: [] }));
  for (let i = 0; i < town.size; i += 1) if (town.road[i] !== null) lines[town.road[i]].members.push(i);
  return lines.map(({ road, direction, members }) => {
    members.sort((a, b) => (town.position_m[a] ?? 0) - (town.position_m[b] ?? 0));
    return { road, direction, members, points: members.filter((i) => town.lon[i] !== null).map((i) => [town.lat[i], town.lon[i]]) };
  });
}

// Zones as the hull of their sensors (monotone chain, Andrew 1979): [{zone, members, hull: [[lat, lon], …]}].
export function zonesOf(town) {
  const groups = town.zones.map((zone) => ({ zone, members: [] }));
  for (let i = 0; i < town.size; i += 1) if (town.zone[i] !== null) groups[town.zone[i]].members.push(i);
  return groups.map(({ zone, members }) => {
    const points = members.filter((i) => town.lon[i] !== null).map((i) => [town.lon[i], town.lat[i]]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    const turn = (o, a, b) => (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0]);
    const half = (sorted) => {
      const chain = [];
      for (const point of sorted) {
        while (chain.length > 1 && turn(chain.at(-2), chain.at(-1), point) <= 0) chain.pop();
        chain.push(point);
      }
      return chain.slice(0, -1);
    };
    return { zone, members, hull: points.length < 3 ? [] : [...half(points), ...half(points.reverse())].map(([lon, lat]) => [lat, lon]) };
  });
}
