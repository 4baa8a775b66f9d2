// Times as people read them: in the site's zone, with UTC at hand, and how long ago.

import { h } from "./dom.js";

const formats = new Map();

function format(zone, options) {
  const key = zone + JSON.stringify(options);
  if (!formats.has(key)) {
    let made;
    try { made = new Intl.DateTimeFormat(undefined, { timeZone: zone, ...options }); }
    catch { made = new Intl.DateTimeFormat(undefined, { timeZone: "UTC", ...options }); }
    formats.set(key, made);
  }
  return formats.get(key);
}

const dayOf = (date, zone) => format(zone, { dateStyle: "short" }).format(date);

export function clock(value, zone = "UTC", now = new Date()) {
  const date = new Date(value);
  const hour = format(zone, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(date);
  if (dayOf(date, zone) === dayOf(now, zone)) return hour;
  const year = date.getUTCFullYear() === now.getUTCFullYear() ? {} : { year: "numeric" };
  return `${format(zone, { day: "numeric", month: "short", ...year }).format(date)}, ${hour}`;
}

export const utc = (value) => `${new Date(value).toISOString().slice(0, 19).replace("T", " ")} UTC`;

export const stamp = (value, zone) =>
  h("time", { dateTime: value, title: `${utc(value)} (shown: ${zone ?? "UTC"})` }, clock(value, zone));

export function span(seconds) {
  if (seconds < 60) return "less than a minute";
  const steps = [[86400, "day"], [3600, "hour"], [60, "minute"]];
  for (const [size, name] of steps) {
    const count = Math.floor(seconds / size);
    if (count >= 1) return `${count} ${name}${count === 1 ? "" : "s"}`;
  }
  return "";
}

export function ago(value, now = Date.now()) {
  const seconds = (now - new Date(value)) / 1000;
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${span(seconds)} ago`;
}
