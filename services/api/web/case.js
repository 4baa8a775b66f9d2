// One alert: what happened, the readings around it, what a person can do, and what was done.

import { get } from "./api.js";
import { acts } from "./acts.js";
import { band } from "./band.js";
import { h, icon, later } from "./dom.js";
import { address } from "./address.js";
import { whereabouts } from "./whereabouts.js";
import { neighbours, past } from "./beside.js";
import { panel } from "./panel.js";
import { spoken, whole } from "./said.js";
import { comparable } from "./series.js";
import { clock, span, stamp } from "./times.js";
import { amount, number, placeOf, say, share, stateOf, t } from "./words.js";

const HOUR = 3600e3;

export class Case {
  #alert;
  #events = [];
  #others = [];
  #gone = false;
  element = h("article", { class: "sheet" });

  constructor({ id, cases }) {
    this.id = id;
    this.cases = cases;
    this.#alert = cases.get(id);
    this.refresh = later(() => this.#load().catch(() => {}), 150);
    this.onChange = ({ detail }) => {
      if (detail.alert?.id !== id || detail.alert.version <= (this.#alert?.version ?? 0)) return;
      this.#alert = detail.alert;
      this.acts?.update(detail.alert);
      this.#drawFacts();
      this.#offer();
      this.refresh();
    };
    cases.addEventListener("change", this.onChange);
  }

  async show() {
    this.element.replaceChildren(back(), h("div", { class: "ghost" }));
    if (this.#alert) this.#draw();
    await this.#load();
    if (!this.facts) this.#draw();
    await this.#drawChart();
    this.#drawBeside();
  }

  // Asked for last: what a person needs first is there already.
  async #drawBeside() {
    for (const make of [neighbours, past]) {
      const made = await make(this.#alert).catch(() => null);
      if (this.#gone) return;
      if (made) this.besidePlace.append(made);
    }
  }

  async #load() {
    const { events, ...alert } = await get(`/v1/alerts/${this.id}`);
    if (this.#gone) return;
    this.#events = events;
    if (!this.#alert || alert.version >= this.#alert.version) this.#alert = alert;
    this.cases.take(alert);
    this.#others = (await get("/v1/alerts", { group: alert.group_id, limit: 100 })).items.filter((each) => each.id !== this.id);
    if (this.#gone) return;
    this.#drawEvent();
    if (this.facts) { this.#drawFacts(); this.#drawLog(); this.#offer(); }
  }

  #draw() {
    this.facts = h("div", { class: "figure" });
    this.actsPlace = h("section", { "aria-label": t("acts.label") });
    this.chartPlace = h("div", {});
    this.eventPlace = h("section", { class: "figure" });
    this.besidePlace = h("div", { class: "stack" });
    this.log = h("ol", { class: "log" });
    this.element.replaceChildren(back(), h("h1", { class: "unseen alone" }, t("now.title")), this.facts, this.actsPlace, this.chartPlace, this.eventPlace,
      h("section", { class: "figure" }, h("h3", {}, t("alert.log")), this.log, h("a", { class: "small", href: address("messages", "", { alert: this.id }) }, t("messages.who"))), this.besidePlace);
    this.#drawFacts();
    this.#drawActs();
    this.#drawEvent();
    this.#drawLog();
  }

  #drawFacts() {
    if (!this.facts) return;
    const alert = this.#alert;
    const zone = alert.place?.time_zone ?? "UTC";
    const { evidence } = alert;
    const { first, lang, mine, ...words } = spoken(alert);
    const sentence = over(alert) ? whole(alert) : words.sentence;
    const facts = [
      [t("alert.since"), stamp(alert.started_at, zone)],
      [t("alert.given"), stamp(alert.raised_at, zone)],
      alert.cleared_at ? [t("alert.over"), stamp(alert.cleared_at, zone)] : null,
      alert.cleared_at ? [t("alert.lasted"), span((new Date(alert.cleared_at) - new Date(alert.started_at)) / 1000)] : null,
      fact(t("alert.measured"), evidence.value, evidence.unit),
      fact(t("alert.limit"), evidence.threshold, evidence.unit),
      fact(t("alert.usual"), evidence.baseline, evidence.unit),
      evidence.missing_share > 0.005 ? [t("alert.missing"), share(evidence.missing_share)] : null,
      aboutOne(alert) ? null : [t("alert.concerns"), placeOf(alert)],
      aboutOne(alert) ? null : [t("alert.silent"), t("alert.of", { part: number(evidence.numbers?.silent_sensors_1), whole: number(evidence.numbers?.sensors_1) })],
      alert.acknowledged_by ? [t("alert.taken_by"), alert.acknowledged_by] : null,
      alert.assignee ? [t("alert.assignee"), alert.assignee] : null,
      alert.work && alert.work !== "new" ? [t("acts.progress"), say("works", alert.work)] : null,
      alert.suppressed_reason ? [t("alert.held_back"), this.#heldBack()] : null,
      alert.shelved_reason ? [t("alert.hidden_because"), alert.shelved_reason] : null,
    ].filter(Boolean);
    this.facts.replaceChildren(
      h("div", {},
        h("div", { class: "chips" },
          h("span", { class: `chip ${over(alert) ? "good" : alert.severity}` }, icon(over(alert) ? "good" : alert.severity, 16), over(alert) ? t("states.was", { severity: say("severities", alert.severity).toLowerCase() }) : say("severities", alert.severity)),
          h("span", { class: "chip" }, stateOf(alert, (value) => clock(value, zone)))),
        h("h2", { tabIndex: -1 }, say("rules", alert.rule)),
        h("p", { class: "soft where" }, aboutOne(alert) ? whereabouts(alert.subject, alert.place ?? {}) : placeOf(alert))),
      h("div", { class: "figure" }, h("p", { class: "lead", lang }, sentence), first && !over(alert) ? h("p", { class: "first", lang }, icon("go", 20), h("span", {}, first)) : null, mine ? null : h("p", { class: "soft small" }, t("alert.english"))),
      h("dl", { class: "facts" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))));
  }

  #drawActs() {
    if (!this.actsPlace) return;
    const focused = this.actsPlace.contains(document.activeElement);
    this.offered = String(this.#alert.allowed_changes);
    const made = acts(this.#alert, (alert, { keepForm = false } = {}) => {
      this.#alert = { ...this.#alert, ...alert };
      this.cases.take(this.#alert);
      this.#drawFacts();
      if (keepForm) this.acts.update(this.#alert);
      else if (this.acts === made) this.#drawActs();
      else this.#offer();
      this.refresh();
    });
    this.acts = made;
    this.actsPlace.replaceChildren(this.acts.element);
    if (focused) (this.actsPlace.querySelector("button") ?? this.element.querySelector("h2"))?.focus();
  }

  // Other buttons only where something else is allowed now: a form stays, and so does what is about to be pressed.
  #offer() {
    if (this.acts?.editing() || (this.acts && this.offered === String(this.#alert.allowed_changes))) this.acts.update(this.#alert);
    else this.#drawActs();
  }

  async #drawChart() {
    if (this.chart || this.#gone) return;
    const alert = this.#alert;
    if (!alert.place) {
      this.chartPlace.replaceChildren(h("p", { class: "note" }, aboutOne(alert) ? t("alert.no_sensor") : t("alert.no_chart")));
      return;
    }
    let sensor;
    try {
      sensor = await get(`/v1/sensors/${encodeURIComponent(alert.subject)}`);
    } catch (problem) {
      this.chartPlace.replaceChildren(h("p", { class: "note" }, problem.message));
      return;
    }
    if (this.#gone) return;
    const { evidence } = alert;
    const began = Date.parse(alert.started_at);
    const told = Date.parse(alert.raised_at);
    const around = () => {
      const now = this.#alert;
      const until = Date.parse(now.cleared_at ?? now.updated_at);
      const pad = Math.max(HOUR, (until - began) * 0.4, (evidence.window_s ?? 0) * 1000);
      return [began - pad, until + Math.max(HOUR / 2, (until - began) * 0.15)];
    };
    const before = (days) => () => [Date.parse(this.#alert.updated_at) - days * 24 * HOUR, Date.parse(this.#alert.updated_at) + HOUR];
    this.chart = panel(sensor, {
      metrics: [evidence.metric], metric: evidence.metric,
      ranges: [[t("alert.around"), around], [t("alert.day_before"), before(1)], [t("alert.week_before"), before(7)]],
      band: (found, from, to, signal) => band(sensor, evidence, found, from, to, signal),
      extras: (found) => ({
        limit: comparable(found, evidence) ? evidence.threshold : null,
        usual: comparable(found, evidence) ? evidence.baseline : null,
        marks: { began: began / 1000, told: told / 1000, ...(this.#alert.cleared_at ? { ended: Date.parse(this.#alert.cleared_at) / 1000 } : {}) },
      }),
    });
    this.chartPlace.replaceChildren(this.chart.element);
  }

  #drawEvent() {
    if (!this.eventPlace) return;
    this.eventPlace.hidden = !this.#others.length;
    const rows = this.#others.map((alert) => {
      const zone = alert.place?.time_zone ?? "UTC";
      return h("li", {},
        h("a", { href: `#/alert/${alert.id}` }, `${say("rules", alert.rule)}, ${placeOf(alert)}`),
        stamp(alert.started_at, zone), h("span", { class: "chip" }, stateOf(alert, (value) => clock(value, zone))));
    });
    this.eventPlace.replaceChildren(h("h3", {}, t("alert.same")), h("ul", { class: "log" }, rows));
  }

  #heldBack() {
    const held = this.#events.findLast(({ kind }) => kind === "suppressed");
    return held ? because(held.data) : this.#alert.suppressed_reason;
  }

  #drawLog() {
    const zone = this.#alert.place?.time_zone ?? "UTC";
    this.log.replaceChildren(...condensed(this.#events).map((event) => h("li", {},
      h("b", {}, say("events", event.kind)), event.actor === "detector" || event.actor === "citygauge" ? "" : ` · ${event.actor}`, stamp(event.at, zone),
      said(event, zone) ? h("p", { class: "said", dir: "auto" }, said(event, zone)) : null)));
  }

  destroy() {
    this.#gone = true;
    this.cases.removeEventListener("change", this.onChange);
    this.chart?.destroy();
  }
}

export const back = () => h("a", { class: "back quiet", href: "#/" }, icon("back", 20), t("alert.back"));

const over = (alert) => !alert.active || alert.state === "resolved";
const aboutOne = (alert) => !["feed", "gateway", "flood"].includes(alert.subject_kind);

// Why a rule holds it back; the fact and the log say it alike.
const because = ({ said: why, reason = "" }) => spoken({ said: why, sentence: reason }).sentence;

const fact = (name, value, unit) => (value === null || value === undefined ? null : [name, amount(value, unit)]);

// Of several updates of the figures in a row only the last one is shown.
const condensed = (events) => events.filter((event, i) => event.kind !== "updated" || events[i + 1]?.kind !== "updated");

function said(event, zone) {
  const { data } = event;
  if (event.kind === "resolved") return [say("verdicts", data.verdict), data.comment].filter(Boolean).join("\n");
  if (event.kind === "shelved") return t("alert.until", { time: clock(data.until, zone), reason: data.reason });
  if (event.kind === "commented") return data.comment;
  if (event.kind === "acknowledged") return data.comment ?? "";
  if (event.kind === "assigned") return [data.assignee ? t("now.for", { name: data.assignee }) : t("alert.nobody"), data.comment].filter(Boolean).join("\n");
  if (event.kind === "progressed") return [say("works", data.work), data.comment].filter(Boolean).join("\n");
  if (event.kind === "suppressed") return because(data);
  return event.kind === "unshelved" || event.kind === "unsuppressed" ? "" : whole(data);
}
