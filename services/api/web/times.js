// Times as people read them: in the site's zone (or in UTC, where the reader prefers it), and how long ago.

import { h } from "./dom.js";
import { preferences } from "./preferences.js";
import { now } from "./server-time.js";
import { locale, t } from "./words.js";

const formats = new Map();

export const zoneOf = (zone) => (preferences.times === "utc" ? "UTC" : zone || "UTC");

export function format(zone, options) {
  const key = zone + JSON.stringify(options);
  if (!formats.has(key)) {
    let made;
    try { made = new Intl.DateTimeFormat(locale, { timeZone: zone, ...options }); }
    catch { made = new Intl.DateTimeFormat(locale, { timeZone: "UTC", ...options }); }
    formats.set(key, made);
  }
  return formats.get(key);
}

const dayOf = (date, zone) => format(zone, { dateStyle: "short" }).format(date);

export function clock(value, zone = "UTC") {
  const date = new Date(value);
  const at = zoneOf(zone);
  const hour = format(at, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(date);
  return dayOf(date, at) === dayOf(now(), at) ? hour : `${day(date, at)}, ${hour}`;
}

export function day(value, zone = "UTC") {
  const date = new Date(value);
  const year = date.getUTCFullYear() === new Date(now()).getUTCFullYear() ? {} : { year: "numeric" };
  return format(zoneOf(zone), { day: "numeric", month: "short", ...year }).format(date);
}

export const utc = (value) => `${new Date(value).toISOString().slice(0, 19).replace("T", " ")} UTC`;

export const stamp = (value, zone) =>
  h("time", { dateTime: value, title: t("times.in_zone", { utc: utc(value), zone: zoneOf(zone) }) }, clock(value, zone));

const lengths = new Map();
const UNITS = [[86400, "day"], [3600, "hour"], [60, "minute"]];
const LENGTHS = [[86400, "day", 3 * 86400], [3600, "hour", 2 * 3600], [60, "minute", 60]]; // from which length on: 40 hours are not "1 day"

export function span(seconds) {
  const [size, unit] = LENGTHS.find(([, , from]) => seconds >= from) ?? [];
  if (!unit) return t("times.moment");
  if (!lengths.has(unit)) lengths.set(unit, new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long" }));
  return lengths.get(unit).format(Math.floor(seconds / size));
}

export function exactly(seconds) {
  const [size, unit] = [...UNITS, [1, "second"]].find(([each]) => seconds % each === 0) ?? [1, "second"];
  return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long" }).format(seconds / size);
}

const past = new Intl.RelativeTimeFormat(locale, { numeric: "always", style: "short" });

export function ago(value) {
  const seconds = (now() - new Date(value)) / 1000;
  const [size, unit] = UNITS.find(([each]) => seconds >= each) ?? [];
  return unit ? past.format(-Math.floor(seconds / size), unit) : t("times.just_now");
}
