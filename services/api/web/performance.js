// How well the alarm system and the work do, by week, beside what is good.

import { get } from "./api.js";
import { address, keep } from "./address.js";
import { h, icon } from "./dom.js";
import { now } from "./server-time.js";
import { empty } from "./states.js";
import { day } from "./times.js";
import { amount, nameOf, number, say, share, t } from "./words.js";

const hours = (value) => (value === null ? "–" : value < 2 ? amount(value * 60, "min", 2) : amount(value, "h", 3));
const minutes = (value) => (value === null ? "–" : value < 120 ? amount(value, "min", 2) : amount(value / 60, "h", 3));
const ALARMS = { told: number, per_operator_hour: number, peak_10_min: number, flood_share: share, chattering: number, stale: number, held: number, standing: number };
const WORK = { real: number, sensor_fault: number, legitimate_use: number, open: number, precision: share, awareness_h: hours, acknowledgement_min: minutes, repair_h: hours,
  litres_lost: (value) => amount(value, "L"), litres_saved: (value) => amount(value, "L"), vehicle_hours: number };
const SPANS = [4, 8, 26];

export default class Performance {
  element = h("article", {});

  constructor({ query }) { this.query = query; }

  async show() {
    const weeks = SPANS.includes(Number(this.query.weeks)) ? Number(this.query.weeks) : 8;
    const latest = await get("/v1/alerts", { limit: 1 });
    const end = new Date(Math.min(now(), latest.items.length ? Date.parse(latest.items[0].updated_at) + 1000 : now())).toISOString();
    const start = new Date(Date.parse(end) - (weeks - 1) * 7 * 86400e3).toISOString();
    const { operators = "1", domain = "" } = this.query;
    const found = await get("/v1/performance", { start, end, operators, domain });
    const again = (changed) => { keep(changed); this.query = { ...this.query, ...changed }; this.show(); };
    const people = h("input", { type: "number", min: "1", max: "1000", value: operators, onchange: () => again({ operators: String(Math.max(1, Number(people.value) || 1)) }) });
    const which = h("select", { onchange: () => again({ domain: which.value }) }, ["", "water", "traffic"].map((name) => h("option", { value: name, selected: name === domain }, name ? say("domains", name) : t("performance.both"))));
    const span = h("select", { onchange: () => again({ weeks: span.value }) }, SPANS.map((count) => h("option", { value: String(count), selected: count === weeks }, t("performance.weeks", { count }))));
    const file = (part) => h("a", { href: `/v1/performance?${new URLSearchParams({ start, end, operators, ...(domain ? { domain } : {}), format: "csv", part })}`, download: `${part}.csv` }, "CSV");
    const head = h("header", { class: "head" }, h("div", {}, h("h1", { tabIndex: -1 }, t("nav.performance")), h("p", {}, t("performance.intro"))),
      h("div", { class: "tools" }, h("label", {}, t("performance.domain"), which), h("label", {}, t("performance.operators"), people), h("label", {}, t("performance.span"), span)));
    if (!latest.items.length) { this.element.replaceChildren(head, empty(t("now.none_title"), t("now.none"))); return; }
    this.element.replaceChildren(head,
      h("section", { class: "panel" }, h("h2", {}, t("performance.alarms")), h("p", { class: "soft small" }, t("performance.alarms_how")), this.#weeks(found, "alarms", ALARMS)),
      h("section", { class: "panel" }, h("h2", {}, t("performance.work")), h("p", { class: "soft small" }, t("performance.work_how")), this.#weeks(found, "work", WORK)),
      h("div", { class: "pair" },
        h("section", { class: "panel" }, h("h2", {}, t("performance.rules")), rules(found.rules)),
        h("section", { class: "panel" }, h("h2", {}, t("performance.frequent")), frequent(found.frequent))),
      h("p", { class: "soft small" }, t("performance.files"), " ", t("performance.by_week"), " ", file("weeks"), " · ", t("performance.by_rule"), " ", file("rules"), " · ", t("performance.zone", { zone: found.time_zone })));
  }

  // Figures as rows, weeks as columns, the newest last; a figure beyond its target says so with a sign.
  #weeks({ weeks, targets, time_zone: zone }, part, kinds) {
    const goals = Object.keys(kinds).some((name) => name in targets);
    return h("div", { class: "table-wrap tall scroll", tabIndex: 0, role: "region", "aria-label": t(`performance.${part}`) }, h("table", { class: "weeks" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("performance.figure")), ...(goals ? [h("th", { scope: "col" }, t("performance.target"))] : []), weeks.map((week) => h("th", { scope: "col" }, day(week.starts_at, zone))))),
      h("tbody", {}, Object.entries(kinds).map(([name, write]) => h("tr", {}, h("th", { scope: "row" }, t(`performance.${name}`)),
        goals ? h("td", { class: "soft" }, name in targets ? t("performance.at_most", { value: write(targets[name], 2) }) : "") : null,
        weeks.map((week) => {
          const value = week[part][name];
          const beyond = name in targets && value !== null && value > targets[name];
          return h("td", { class: beyond ? "beyond" : "" }, beyond ? icon("warning", 14) : null, beyond ? h("span", { class: "unseen" }, t("performance.beyond")) : null, write(value, 2));
        }))))));
  }
}

function rules(rows) {
  return h("div", { class: "table-wrap tall", tabIndex: 0 }, h("table", {}, h("thead", {}, h("tr", {}, ["rule", "raised", "told", "right", "wrong", "precision"].map((name) => h("th", { scope: "col" }, t(`performance.r_${name}`))))),
    h("tbody", {}, rows.map((row) => h("tr", {}, h("th", { scope: "row" }, say("rules", row.rule)), ["raised", "told", "right", "wrong"].map((name) => h("td", {}, number(row[name]))), h("td", {}, share(row.precision)))))));
}

function frequent(rows) {
  if (!rows.length) return h("p", { class: "soft" }, t("performance.none"));
  return h("div", { class: "table-wrap tall", tabIndex: 0 }, h("table", {}, h("thead", {}, h("tr", {}, [t("performance.r_rule"), t("performance.r_subject"), t("performance.r_told")].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, rows.slice(0, 10).map((row) => h("tr", {}, h("th", { scope: "row" }, say("rules", row.rule)), h("td", {}, row.subject.includes("/") ? nameOf(row) : h("a", { href: address("sensor", row.subject) }, nameOf(row))), h("td", {}, number(row.told)))))));
}
