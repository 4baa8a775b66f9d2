// What alerts say, in the reader's language and units: the service's own templates, filled with what the alert keeps
// beside its English sentence. An alert without it, and one made by other templates, is said in English.

import { preferences } from "./preferences.js";
import { format, zoneOf } from "./times.js";
import { factor, unitShown } from "./units.js";
import { catalogue, form, language, number } from "./words.js";

const MANY = 10000;
const DIGITS = { "km": () => 1, "kPa": () => 2, "L/h": (value) => (Math.abs(value) < 10 ? 1 : 0) };
const SPANS = [["second", 1, 59.5], ["minute", 60, 119.5], ["hour", 3600, 71.5], ["day", 86400, Infinity]];

// What an alert or an event says ({sentence}), what to do first (by itself {first}, behind the sentence {act}), in which
// language ({lang}), and whether that is the reader's ({mine}).
export function spoken({ said, sentence = "" }) {
  if (said) {
    try {
      const zone = zoneOf(said.time_zone);
      const first = said.first ? filled(said.first, zone) : "";
      return { sentence: said.what.map((each) => filled(each, zone)).join(" "), first: capital(first), act: filled({ key: "first", values: { act: first } }, zone), lang: language, mine: true };
    } catch { /* templates that this service no longer has */ }
  }
  const at = sentence.lastIndexOf(" First: ");
  const [what, act] = at < 0 ? [sentence, ""] : [sentence.slice(0, at), sentence.slice(at + 1)];
  return { sentence: what, first: capital(act.slice("First: ".length)), act, lang: "en", mine: language === "en" };
}

// What is wrong with a rejected message; words of the database or of a parser stay as they are.
export const wrong = ({ said, detail }) => spoken({ said, sentence: detail });

// What can be done about its reason: {text, lang}.
export function toDo({ reason, what_to_do: english }) {
  const text = catalogue.sentences[`remedy.${reason}`];
  return text ? { text, lang: language } : { text: english, lang: "en" };
}

const capital = (words) => words.charAt(0).toUpperCase() + words.slice(1);

// Both as one text, as an entry of the log has it.
export function whole(words) {
  const { sentence, first, act } = spoken(words);
  return first ? `${sentence} ${act}` : sentence;
}

function filled({ key, values }, zone) {
  return catalogue.sentences[key].replace(/\{(\w+)(\^?)\}/g, (_, name, begins) => (begins ? capital(text(values[name], zone)) : text(values[name], zone)));
}

function text(value, zone) {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map((each) => filled(each, zone)).join("");
  if ("key" in value) return filled(value, zone);
  return "time" in value ? moment(value.time, zone) : amount(value);
}

function moment(time, zone) {
  const parts = Object.fromEntries(format(zone, { year: "numeric", month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23", numberingSystem: "latn", calendar: "gregory" })
    .formatToParts(new Date(time)).map(({ type, value }) => [type, value]));
  const weekday = (new Date(Date.UTC(parts.year, parts.month - 1, parts.day)).getUTCDay() + 6) % 7;
  const values = { weekday: catalogue.weekdays[weekday], day: String(Number(parts.day)), month: catalogue.months[parts.month - 1], clock: `${parts.hour}:${parts.minute}` };
  return catalogue.time.replace(/\{(\w+)\}/g, (_, name) => values[name]) + (preferences.times === "utc" ? " UTC" : "");
}

function amount({ value, unit, digits }) {
  if (unit === "s") return span(value);
  if (unit === "1") return fixed(value, digits ?? 0);
  const mine = unitShown(unit);
  if (mine !== unit) return `${number(value * factor(unit), 3)} ${mine}`;
  if (digits !== undefined) return `${fixed(value, digits)} ${unit}`;
  if (unit.startsWith("L") && Math.abs(value) >= MANY) return `${fixed(value / 1000, 1)} m3${unit.slice(1)}`;
  return `${fixed(value, DIGITS[unit]?.(value) ?? 0)} ${unit}`;
}

function span(seconds) {
  const [unit, size] = SPANS.find(([, each, last]) => seconds / each < last);
  const length = Number((size === 1 ? Math.max(1, seconds) : seconds / size).toFixed(0));
  return form(catalogue.spans[unit], length).replace("{n}", fixed(length, 0));
}

// So many decimals, in the signs of the language; as the service writes them.
function fixed(value, digits) {
  const [whole_, rest] = value.toFixed(digits).split(".");
  const grouped = Math.abs(Number(value.toFixed(digits))) >= catalogue.grouped_from ? whole_.replace(/\B(?=(\d{3})+$)/g, catalogue.group) : whole_;
  return rest ? grouped + catalogue.decimal + rest : grouped;
}
