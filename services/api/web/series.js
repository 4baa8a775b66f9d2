// Readings for a chart: asks for as many points as a screen can show, and keeps gaps as gaps.

import { get } from "./api.js";

const STEPS_S = [60, 300, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 604800];
const POINTS = 900;
const FLOWS = new Set(["flow_litres_per_h", "consumption_litres"]);

export async function series(sensor, metric, start, end, signal, points = POINTS) {
  const length = (end - start) / 1000;
  const cadence = sensor.cadence_s ?? 60;
  const bucket = length / cadence > points * 1.6 ? (STEPS_S.find((step) => step >= length / points && step >= cadence) ?? 604800) : null;
  const ask = (name, aggregate) => readings(sensor.id, name, start, end, bucket, aggregate, signal);
  const found = await ask(metric, "avg");
  if (found.values.some((value) => value !== null) || !FLOWS.has(metric)) return gapped(found, bucket ?? cadence);
  const register = await ask("register_litres", "last");
  return gapped(metric === "flow_litres_per_h" ? rate(register) : found, bucket ?? cadence);
}

async function readings(id, metric, start, end, bucket, aggregate, signal) {
  const path = `/v1/sensors/${encodeURIComponent(id)}/readings`;
  const query = { start: new Date(start).toISOString(), end: new Date(end).toISOString(), metrics: metric, limit: 5000 };
  if (bucket) Object.assign(query, { bucket, aggregate });
  const times = [];
  const values = [];
  let unit = "";
  for (let page = 0, after = null; page < 4; page += 1) {
    const answer = await get(path, { ...query, after }, { signal });
    unit = answer.metrics[0]?.unit ?? "";
    for (const time of answer.columns.time) times.push(Date.parse(time) / 1000);
    for (const value of answer.columns[metric] ?? []) values.push(value);
    after = answer.next;
    if (!answer.has_more) break;
  }
  return { metric, unit, times, values, derived: false };
}

function rate(register) {
  const known = register.times.map((time, i) => [time, register.values[i]]).filter(([, value]) => value !== null);
  const times = [];
  const values = [];
  for (let i = 1; i < known.length; i += 1) {
    const change = known[i][1] - known[i - 1][1];
    times.push(known[i][0]);
    values.push(change < 0 ? null : (change / (known[i][0] - known[i - 1][0])) * 3600);
  }
  return { metric: "flow_litres_per_h", unit: "L/h", times, values, derived: true };
}

// A line must not bridge a hole: where readings are missing, one empty point breaks it.
function gapped(found, step) {
  const steps = found.times.slice(1).map((time, i) => time - found.times[i]).sort((a, b) => a - b);
  const usual = Math.max(step, steps[Math.floor(steps.length / 2)] ?? step);
  const times = [];
  const values = [];
  found.times.forEach((time, i) => {
    if (i && time - found.times[i - 1] > usual * 2.5) { times.push((time + found.times[i - 1]) / 2); values.push(null); }
    times.push(time);
    values.push(found.values[i]);
  });
  return { ...found, times, values };
}
