// Readings for a chart: asks for as many points as a screen can show, and keeps gaps as gaps. What it asked is in `query`,
// so that a file of exactly what is seen can be asked for.

import { get } from "./api.js";

const STEPS_S = [60, 300, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 604800];
const POINTS = 900;
const BAND_POINTS = 400;
const FLOWS = new Set(["flow_litres_per_h", "consumption_litres"]);

export const pathOf = (id) => `/v1/sensors/${encodeURIComponent(id)}/readings`;

const stepFor = (seconds, cadence, points) => STEPS_S.find((step) => step >= seconds / points && step >= cadence) ?? 604800;

export async function series(sensor, metric, start, end, signal, points = POINTS) {
  const length = (end - start) / 1000;
  const cadence = sensor.cadence_s ?? 60;
  const bucket = length / cadence > points * 1.6 ? stepFor(length, cadence, points) : null;
  const ask = (name, aggregate) => readings(sensor.id, name, start, end, bucket, aggregate, signal);
  const found = await ask(metric, "avg");
  if (found.values.some((value) => value !== null) || !FLOWS.has(metric)) return gapped(found, bucket ?? cadence);
  const register = await ask("register_litres", "last");
  return gapped(metric === "flow_litres_per_h" ? rate(register) : found, bucket ?? cadence);
}

// A total only ever grows: no hour has a usual one, and an alert's limit and usual value say how it changes.
export const isTotal = (metric) => metric === "register_litres";
export const comparable = ({ metric, unit }, evidence) => unit === evidence.unit && !isTotal(metric);

// The band in which values usually lie at each hour of the week, and the values of a week earlier, by buckets.
export async function usual(sensor, metric, start, end, { compare = false, signal } = {}) {
  const bucket = stepFor((end - start) / 1000, Math.max(sensor.cadence_s ?? 60, 300), BAND_POINTS);
  const { columns } = await get(pathOf(sensor.id), { ...range(start, end), metrics: metric, bucket, aggregate: "avg", include: "baseline", compare: compare ? "P7D" : null, limit: 5000 }, { signal });
  const times = columns.time.map((time) => Date.parse(time) / 1000);
  const column = (tail) => columns[`${metric}_${tail}`] ?? [];
  const some = (values) => values.some((value) => value !== null);
  return {
    band: some(column("usual_low")) ? { times, low: column("usual_low"), high: column("usual_high") } : null,
    before: some(column("before")) ? { times, values: column("before") } : null,
  };
}

const range = (start, end) => ({ start: new Date(start).toISOString(), end: new Date(end).toISOString() });

async function readings(id, metric, start, end, bucket, aggregate, signal) {
  const query = { ...range(start, end), metrics: metric, ...(bucket ? { bucket, aggregate } : {}) };
  const times = [];
  const values = [];
  let unit = "";
  for (let page = 0, after = null; page < 4; page += 1) {
    const answer = await get(pathOf(id), { ...query, limit: 5000, after }, { signal });
    unit = answer.metrics[0]?.unit ?? "";
    for (const time of answer.columns.time) times.push(Date.parse(time) / 1000);
    for (const value of answer.columns[metric] ?? []) values.push(value);
    after = answer.next;
    if (!answer.has_more) break;
  }
  return { metric, unit, times, values, derived: false, query, bucket };
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
  return { ...register, metric: "flow_litres_per_h", unit: "L/h", times, values, derived: true };
}

// A line must not bridge a hole: where readings are missing, one empty point breaks it.
function gapped(found, step) {
  const steps = found.times.slice(1).map((time, i) => time - found.times[i]).sort((a, b) => a - b);
  const usually = Math.max(step, steps[Math.floor(steps.length / 2)] ?? step);
  const times = [];
  const values = [];
  found.times.forEach((time, i) => {
    if (i && time - found.times[i - 1] > usually * 2.5) { times.push((time + found.times[i - 1]) / 2); values.push(null); }
    times.push(time);
    values.push(found.values[i]);
  });
  return { ...found, times, values };
}
