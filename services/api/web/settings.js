// The settings of the detectors in words and units: the unit ends their name.

import { amount, number } from "./words.js";

const UNITS = [["_litres_per_h", "L/h"], ["_km_per_h", "km/h"], ["_litres", "L"], ["_days", "d"], ["_min", "min"], ["_h", "h"], ["_s", "s"]];
const NO_HOURS = new Set(["night_cusum_h", "zone_cusum_h", "zone_burst_h", "balance_cusum_h"]); // decision limits h of Page's test, in sigmas

export const unitOf = (name) => (NO_HOURS.has(name) ? null : UNITS.find(([tail]) => name.endsWith(tail))?.[1] ?? null);

export const settled = (value) => number(value, 6);

export function written(name, value) {
  if (typeof value !== "number") return String(value);
  const unit = unitOf(name);
  return unit ? amount(value, unit) : settled(value);
}

// The line of the settings file, as TOML.
export const line = (name, value) => `${name} = ${Number.isInteger(value) ? value.toFixed(1) : String(value)}`;
