// Says everything in the reader's language, from one catalogue a language. A key that a catalogue lacks is shown as it is.

import { preferences } from "./preferences.js";
import { shown } from "./units.js";

export const LANGUAGES = { en: "English", es: "Español" };

const spoken = [...navigator.languages, "en"].map((tag) => tag.slice(0, 2).toLowerCase());
export const language = preferences.language in LANGUAGES ? preferences.language : spoken.find((tag) => tag in LANGUAGES);
export const locale = navigator.languages.find((tag) => tag.toLowerCase().startsWith(language)) ?? language;

const catalogue = (await import(`./words/${language}.js`)).default;
const plural = new Intl.PluralRules(locale);

export function t(key, values = {}) {
  let found = key.split(".").reduce((place, part) => place?.[part], catalogue);
  if (typeof found === "object") found = found[plural.select(values.count)] ?? found.other;
  if (typeof found !== "string") return key;
  return found.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    return value === undefined ? whole : typeof value === "number" ? number(value) : String(value);
  });
}

// A word of the domain (a rule, a unit) by table and key; one that is new here is shown readably.
export const say = (table, key) => catalogue[table]?.[key] ?? String(key ?? "").replaceAll("_", " ");
export const knows = (table, key) => key in (catalogue[table] ?? {});

// Puts words into what is written in HTML: data-t is the text, data-t-NAME an attribute.
export function dress(root) {
  document.documentElement.lang = language;
  for (const element of root.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const name of ["aria-label", "placeholder"]) {
    for (const element of root.querySelectorAll(`[data-t-${name}]`)) element.setAttribute(name, t(element.getAttribute(`data-t-${name}`)));
  }
}

const formats = new Map();
function format(options) {
  const key = JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.NumberFormat(locale, options));
  return formats.get(key);
}

export const number = (value, digits = 4) =>
  value === null || value === undefined || !Number.isFinite(value)
    ? "–"
    : format(Math.abs(value) >= 1000 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: digits }).format(value);

export const share = (part, digits = 0) =>
  part === null || part === undefined || !Number.isFinite(part) ? "–" : format({ style: "percent", maximumFractionDigits: digits }).format(part);

// A measured value with its unit, in the units that the reader chose.
export function amount(value, unit, digits = 4) {
  const mine = shown(value, unit);
  const text = number(mine.value, digits);
  return text === "–" ? text : mine.unit === "%" ? `${text} %` : `${text} ${say("units", mine.unit)}`;
}

export function stateOf(alert, time) {
  if (alert.state === "resolved") return t("states.closed", { verdict: say("verdicts", alert.verdict).toLowerCase() });
  if (alert.shelved_until && new Date(alert.shelved_until) > new Date()) return t("states.hidden", { time: time(alert.shelved_until) });
  if (alert.latched) return t("states.latched");
  if (alert.state === "cleared") return t("states.cleared");
  if (alert.state === "acknowledged") return t("states.taken", { name: alert.acknowledged_by });
  return t("states.waiting");
}

// A feed or a gateway in words; nothing for a sensor.
function manyOf(alert) {
  const name = String(alert.subject ?? "").replace(/^[^/]*\//, "");
  if (alert.subject_kind === "feed") return knows("domains", name) ? say("subjects", name) : t("subjects.feed", { name });
  if (alert.subject_kind === "flood") return knows("domains", name) ? say("subjects", name) : name;
  if (alert.subject_kind === "flood") return t("subjects.flood", { name: say("domains", name) });
  return alert.subject_kind === "gateway" ? t("subjects.gateway", { name }) : null;
}

export function placeOf(alert) {
  const many = manyOf(alert);
  if (many) return many;
  const place = alert.place ?? alert;
  const parts = [place.name ?? alert.subject ?? alert.id];
  if (place.road) parts.push([place.road, place.direction].filter(Boolean).join(" "));
  if (place.zone) parts.push(place.zone);
  return parts.filter(Boolean).join(" · ");
}
