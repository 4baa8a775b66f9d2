// The rules: what each asks, how often it was right, and what it is set to, in words and units.

import { get } from "./api.js";
import { h } from "./dom.js";
import { amount, number, say, t } from "./words.js";

const WEEKS = 26;
const UNITS = [["_litres_per_h", "L/h"], ["_km_per_h", "km/h"], ["_litres", "L"], ["_days", "d"], ["_min", "min"], ["_h", "h"], ["_s", "s"]];
const NO_HOURS = new Set(["night_cusum_h", "zone_cusum_h", "zone_burst_h", "balance_cusum_h"]); // decision limits h of Page's test, in sigmas

function written(name, value) {
  if (typeof value !== "number") return String(value);
  const unit = NO_HOURS.has(name) ? null : UNITS.find(([tail]) => name.endsWith(tail))?.[1];
  return unit ? amount(value, unit) : value !== 0 && Math.abs(value) < 0.001 ? String(value) : number(value);
}

export default class Rules {
  element = h("article", {});

  async show() {
    const start = new Date(Date.now() - WEEKS * 7 * 86400e3).toISOString();
    const [{ items }, record] = await Promise.all([get("/v1/rules"), get("/v1/performance", { start }).catch(() => ({ rules: [] }))]);
    const known = new Map(record.rules.map((each) => [each.rule, each]));
    this.element.replaceChildren(
      h("header", { class: "head" }, h("div", {}, h("h1", { tabIndex: -1 }, t("nav.rules")), h("p", {}, t("ruled.intro")))),
      ...items.map(({ rule, settings }) => this.#rule(rule, settings, known.get(rule))),
      h("section", { class: "panel" }, h("p", { class: "soft" }, t("ruled.how")), h("div", { class: "command" }, h("pre", { tabIndex: 0 }, h("code", {}, "citygauge tune --help")))));
  }

  #rule(rule, settings, record) {
    return h("section", { class: "panel", "aria-labelledby": `rule-${rule}` },
      h("div", {}, h("h2", { id: `rule-${rule}` }, say("rules", rule)), h("p", {}, say("ruled", rule)),
        h("p", { class: "soft small" }, record?.raised ? t("ruled.record", record) : t("ruled.no_record"))),
      settings.length ? h("details", {}, h("summary", {}, `${t("ruled.settings")} (${settings.length})`), h("div", { class: "table-wrap tall scroll" }, h("table", { class: "list" },
        h("thead", {}, h("tr", {}, ["decides", "value", "default"].map((name) => h("th", { scope: "col", class: name === "decides" ? "" : "num" }, t(`ruled.${name}`))))),
        h("tbody", {}, settings.map(({ name, value, default: usual, description }) => h("tr", {},
          h("td", {}, h("span", { lang: "en" }, description), h("div", { class: "soft small" }, h("code", {}, name))),
          h("td", { class: "num" }, h("b", {}, written(name, value)), value === usual ? null : h("div", { class: "chip warning" }, t("ruled.changed"))),
          h("td", { class: "num soft" }, written(name, usual)))))))) : h("p", { class: "soft small" }, t("ruled.learned")));
  }
}
