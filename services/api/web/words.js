// Says everything in the reader's language. The service makes one module of each language's catalogue, and only the chosen
// one is fetched; what it lacks is English there already. A key that no catalogue has is shown as it is.

import { preferences } from "./preferences.js";
import { now } from "./server-time.js";
import { shown } from "./units.js";
import LANGUAGES from "./words/languages.js";

const ENGLISH = "en";
const spoken = [preferences.language ?? [], navigator.languages].flat().map((tag) => tag.toLowerCase());
const nearest = (tag) => [tag, tag.split("-")[0]].find((each) => each in LANGUAGES);
export const languages = LANGUAGES;
export const language = nearest(spoken.find(nearest) ?? ENGLISH);
export const locale = known(navigator.languages.find((tag) => tag.toLowerCase().startsWith(language)) ?? language);

export const catalogue = (await import(`./words/${language}.js`)).default;
const words = catalogue.console;
const plural = new Intl.PluralRules(locale);
export const form = (forms, count) => forms[plural.select(count)] ?? forms.other;

// A language that this browser does not know is written with its default's numbers and dates.
function known(tag) {
  try { return Intl.getCanonicalLocales(tag)[0]; } catch { return ENGLISH; }
}

export function t(key, values = {}) {
  let found = key.split(".").reduce((place, part) => place?.[part], words);
  if (typeof found === "object") found = form(found, values.count);
  if (typeof found !== "string") return key;
  return found.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    return value === undefined ? whole : typeof value === "number" ? number(value) : String(value);
  });
}

// A word of the domain (a rule, a unit) by table and key; one that is new here is shown readably.
export const say = (table, key) => words[table]?.[key] ?? String(key ?? "").replaceAll("_", " ");
export const knows = (table, key) => key in (words[table] ?? {});

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
  if (text === "–") return text;
  return mine.unit === "%" ? format({ style: "percent", maximumSignificantDigits: digits }).format(mine.value / 100) : `${text} ${say("units", mine.unit)}`;
}

export function stateOf(alert, time) {
  if (alert.state === "resolved") return t("states.closed", { verdict: say("verdicts", alert.verdict).toLowerCase() });
  if (alert.shelved_until && new Date(alert.shelved_until) > now()) return t("states.hidden", { time: time(alert.shelved_until) });
  if (alert.latched) return t("states.latched");
  if (alert.state === "cleared") return t("states.cleared");
  if (alert.state === "acknowledged") return t("states.taken", { name: alert.acknowledged_by });
  return t("states.waiting");
}

// A feed, a gateway or a flood in words; nothing for a sensor.
function manyOf(subject) {
  const [, kind, name] = /^(feed|gateway|flood)\/(.*)$/.exec(subject ?? "") ?? [];
  if (!kind) return null;
  if (kind === "gateway") return t("subjects.gateway", { name });
  return knows("domains", name) ? say("subjects", name) : kind === "feed" ? t("subjects.feed", { name }) : name;
}

// What people call it: {subject, name} of a row, or an alert with its place.
export const nameOf = ({ subject, name, place }) => manyOf(subject) ?? place?.name ?? name ?? subject;

export function placeOf(alert) {
  const many = manyOf(alert.subject);
  if (many) return many;
  const place = alert.place ?? alert;
  const parts = [place.name ?? alert.subject ?? alert.id];
  if (place.road) parts.push([place.road, place.direction].filter(Boolean).join(" "));
  if (place.zone) parts.push(place.zone);
  return parts.filter(Boolean).join(" · ");
}
