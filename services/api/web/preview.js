// The answer of a preview: both settings side by side, the alerts that come and go, and the line for the settings file.

import { address } from "./address.js";
import { h, icon } from "./dom.js";
import { line } from "./settings.js";
import { empty } from "./states.js";
import { stamp } from "./times.js";
import { amount, number, say, share, t } from "./words.js";

const SIGNS = { gained: "plus", lost: "minus", kept: "good" };
const TONES = { gained: "warning", lost: "info", kept: "" };
const hours = (value) => (value === null ? "–" : value < 2 ? amount(value * 60, "min", 3) : amount(value, "h", 3));
const FIGURES = { told: number, right: number, wrong: number, unjudged: number, precision: share, median_h: hours };

export function compared(preview, about) {
  const { result, asked } = preview;
  return [
    h("section", { class: "panel", "aria-labelledby": "tried-answer" }, h("h2", { id: "tried-answer", tabIndex: -1 }, t("tried.answer")), about,
      h("p", { class: "lead" }, [t("tried.gained", { count: result.gained }), t("tried.lost", { count: result.lost }), t("tried.kept", { count: result.kept })].join(" ")),
      figures(result),
      result.not_again ? h("p", { class: "soft small" }, t("tried.not_again", { count: result.not_again })) : null),
    h("section", { class: "panel" }, h("h2", {}, t("tried.alerts")), result.items.length ? alerts(result.items) : empty(t("tried.none"), t("tried.none_how"))),
    h("section", { class: "panel" }, h("h2", {}, t("tried.use")), h("p", { class: "soft" }, t("tried.use_how")), toml(asked.changes)),
  ];
}

function figures({ present, changed }) {
  return h("div", { class: "table-wrap tall scroll", tabIndex: 0, role: "region", "aria-label": `${t("tried.present")}, ${t("tried.changed")}` }, h("table", { class: "list" },
    h("thead", {}, h("tr", {}, h("td", {}), h("th", { scope: "col", class: "num" }, t("tried.present")), h("th", { scope: "col", class: "num" }, t("tried.changed")))),
    h("tbody", {}, Object.entries(FIGURES).map(([name, write]) => h("tr", {}, h("th", { scope: "row" }, t(`tried.f_${name}`)), h("td", { class: "num" }, write(present[name])), h("td", { class: "num" }, h("b", {}, write(changed[name]))))))));
}

function alerts(items) {
  const heads = ["outcome", "sensor", "began", "told", "then"];
  return h("div", { class: "table-wrap tall scroll", tabIndex: 0, role: "region", "aria-label": t("tried.alerts") }, h("table", { class: "list" },
    h("thead", {}, h("tr", {}, heads.map((name) => h("th", { scope: "col" }, t(`tried.h_${name}`))))),
    h("tbody", {}, items.map((item) => {
      const told = item.changed ?? item.present;
      return h("tr", {}, h("td", {}, h("span", { class: `chip ${TONES[item.outcome]}` }, icon(SIGNS[item.outcome], 16), t(`tried.o_${item.outcome}`))),
        h("td", {}, h("a", { href: address("sensor", item.sensor_id) }, item.name ?? item.sensor_id), h("div", { class: "soft small" }, say("rules", item.rule))),
        h("td", {}, stamp(told.started_at, item.time_zone)), h("td", {}, when(item)), h("td", {}, then(item)));
    }))));
}

// When people would have known: at once for one side; for both, how much sooner or later it would have been.
function when({ present, changed, time_zone: zone }) {
  const told = changed ?? present;
  const parts = [stamp(told.told_at, zone), ` · ${say("severities", told.severity)}`];
  if (!present || !changed) return h("span", {}, parts);
  const late = (Date.parse(changed.told_at) - Date.parse(present.told_at)) / 3600e3;
  const notes = [];
  if (late) notes.push(t(late < 0 ? "tried.sooner" : "tried.later", { time: hours(Math.abs(late)) }));
  if (present.severity !== changed.severity) notes.push(t("tried.was_severity", { severity: say("severities", present.severity) }));
  return h("span", {}, parts, notes.length ? h("div", { class: "soft small" }, notes.join(", ")) : null);
}

function then({ alert_id: id, verdict, rule, alert_rule: other }) {
  if (!id) return h("span", { class: "soft" }, t("tried.nobody"));
  return h("span", {}, h("a", { href: address("alert", id) }, verdict ? say("verdicts", verdict) : t("tried.unjudged")), other !== rule ? h("div", { class: "soft small" }, say("rules", other)) : null);
}

function toml(changes) {
  const text = ["[detectors]", ...Object.entries(changes).map(([name, value]) => line(name, value))].join("\n");
  const shown = h("code", {}, text);
  const copy = h("button", { type: "button", class: "quiet", onclick: async () => {
    try { await navigator.clipboard.writeText(text); copy.textContent = t("start.copied"); } catch { getSelection().selectAllChildren(shown); }
  } }, t("start.copy"));
  return h("div", { class: "command" }, h("pre", { tabIndex: 0 }, shown), copy);
}
