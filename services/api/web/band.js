// The band in which an alert's readings usually lie: by the hour of the week, where the service knows it; else as the
// alert's own evidence has it, around what it calls usual.

import { comparable, isTotal, usual } from "./series.js";

const LONGEST = 62 * 86400e3; // over more than this a band by the hour is a blur
const SPREADS = { "km/h": ["spread_km_per_h"], "L/h": ["sigma_litres_per_h"] };
const SIGMAS = 2; // nineteen of twenty values lie so near, where they vary by chance

export async function band(sensor, evidence, found, from, to, signal) {
  if (!found.derived && !isTotal(found.metric) && to - from <= LONGEST) {
    const known = await usual(sensor, found.metric, from, to, { signal }).catch(() => ({}));
    if (known.band) return known.band;
  }
  return comparable(found, evidence) ? own(evidence, from, to) : null;
}

function own({ unit, baseline, numbers = {} }, from, to) {
  const spread = SPREADS[unit]?.map((name) => numbers[name]).find((value) => value > 0);
  if (!spread || baseline === null || baseline === undefined) return null;
  const [low, high] = [Math.max(0, baseline - SIGMAS * spread), baseline + SIGMAS * spread];
  return { times: [from / 1000, to / 1000], low: [low, low], high: [high, high] };
}
