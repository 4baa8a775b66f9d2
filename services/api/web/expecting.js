// The fields of a new exemption or maintenance window. What was typed is kept until it was sent.

import { Problem } from "./api.js";
import { h } from "./dom.js";
import { now } from "./server-time.js";
import { format } from "./times.js";
import { say, t } from "./words.js";

const DRAFT = "draft expect";
const DAYS = [1, 2, 3, 4, 5, 6, 7];
const SCOPES = ["subjects", "zone", "road", "domain"];
const RULES = ["burst", "continuous_flow", "night_flow", "intermittent_leak", "zone_leak", "backflow", "silent", "stuck", "sensor_fault", "congestion", "incident"];
const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;
const local = (date) => new Date(date - date.getTimezoneOffset() * 60e3).toISOString().slice(0, 16);

// 1 January 2024 was a Monday.
export const weekday = (day) => format("UTC", { weekday: "short" }).format(new Date(Date.UTC(2024, 0, day)));

const kept = () => { try { return JSON.parse(sessionStorage.getItem(DRAFT)) ?? {}; } catch { return {}; } };

export function fields(query) {
  const draft = { kind: "maintenance", scope: query.zone ? "zone" : query.road ? "road" : "subjects", place: query.subject ?? query.zone ?? query.road ?? "", rules: [], days: [], start: "09:00", end: "17:00", from: "", reason: "", ...kept() };
  draft.until ||= local(new Date(now() + 86400e3));
  const save = () => { try { sessionStorage.setItem(DRAFT, JSON.stringify(draft)); } catch { /* the form still holds it */ } };
  const on = (name) => ({ oninput: (event) => { draft[name] = event.target.value; save(); } });
  const several = (name, value) => ({ type: "checkbox", checked: draft[name].includes(value), onchange: (event) => { draft[name] = event.target.checked ? [...draft[name], value] : draft[name].filter((each) => each !== value); save(); } });
  const labelled = (words, field) => h("label", {}, words, field);
  const kinds = h("fieldset", {}, h("legend", {}, t("expect.kind")), ["maintenance", "exemption"].map((kind) => h("label", { class: "pick" },
    h("input", { type: "radio", name: "kind", value: kind, checked: draft.kind === kind, onchange: () => { draft.kind = kind; save(); somewhere(); } }), h("span", {}, h("b", {}, t(`expect.${kind}`)), " ", t(`expect.${kind}_how`)))));
  const place = h("input", { maxLength: 500, autocomplete: "off", value: draft.place, placeholder: t("expect.place_hint"), ...on("place") });
  const domain = h("select", { ...on("domain") }, ["water", "traffic"].map((name) => h("option", { value: name, selected: draft.domain === name }, say("domains", name))));
  const places = h("div", {});
  const scope = h("select", { onchange: () => { draft.scope = scope.value; save(); placed(); } }, SCOPES.map((name) => h("option", { value: name, selected: draft.scope === name }, t(`expect.scope_${name}`))));
  // works are somewhere; only what is known and harmless can be true of a whole network
  const somewhere = () => { scope.options[SCOPES.indexOf("domain")].disabled = draft.kind === "maintenance"; };
  somewhere();
  const placed = () => places.replaceChildren(labelled(t(`expect.scope_${draft.scope}`), draft.scope === "domain" ? domain : place));
  placed();
  const rules = h("details", { open: draft.rules.length > 0 }, h("summary", {}, t("expect.only_rules")), h("div", { class: "checks" }, RULES.map((rule) => h("label", { class: "check" }, h("input", several("rules", rule)), say("rules", rule)))));
  const hours = h("details", { open: draft.days.length > 0 }, h("summary", {}, t("expect.only_hours")),
    h("div", { class: "checks" }, DAYS.map((day) => h("label", { class: "check" }, h("input", several("days", day)), weekday(day)))),
    h("div", { class: "pair" }, labelled(t("expect.day_from"), h("input", { type: "time", value: draft.start, ...on("start") })), labelled(t("expect.day_until"), h("input", { type: "time", value: draft.end, ...on("end") }))),
    h("p", { class: "soft small" }, t("expect.hours_how")));
  const reason = h("textarea", { maxLength: 10000, dir: "auto", value: draft.reason, placeholder: t("acts.why_hint"), ...on("reason") });
  return {
    nodes: [kinds, labelled(t("expect.where"), scope), places,
      h("div", { class: "pair" }, labelled(t("expect.from_now"), h("input", { type: "datetime-local", value: draft.from, ...on("from") })), labelled(t("expect.until"), h("input", { type: "datetime-local", required: true, value: draft.until, ...on("until") }))),
      h("p", { class: "soft small" }, t("expect.zone", { zone: zone() })), labelled(t("acts.why"), reason), rules, hours],
    read: () => ({ path: draft.kind === "exemption" ? "exemptions" : "maintenance", body: body({ domain: domain.value, ...draft }) }),
    forget: () => sessionStorage.removeItem(DRAFT),
  };
}

function body(draft) {
  const missing = (key) => { throw new Problem(t(key), 422); };
  const places = draft.place.split(",").map((each) => each.trim()).filter(Boolean);
  if (draft.scope === "domain" ? draft.kind === "maintenance" : !places.length) missing("expect.say_where");
  if (!draft.until || Number.isNaN(Date.parse(draft.until))) missing("expect.say_until");
  if (new Date(draft.until) <= now()) missing("expect.say_later");
  if (!draft.reason.trim()) missing("acts.say_why");
  const scope = { subjects: { subjects: places }, zone: { zone: places.join(", ") }, road: { road: places.join(", ") }, domain: { domain: draft.domain } }[draft.scope];
  return {
    ...scope, rules: draft.rules, reason: draft.reason.trim(), ends_at: new Date(draft.until).toISOString(),
    ...(draft.from ? { starts_at: new Date(draft.from).toISOString() } : {}),
    hours: draft.days.length ? [{ days: [...draft.days].sort(), start: draft.start, end: draft.end }] : [],
  };
}
