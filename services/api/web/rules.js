// The rules: what each asks, how often it was right, and what it is set to, in words and units.

import { get } from "./api.js";
import { address } from "./address.js";
import { h } from "./dom.js";
import { now } from "./server-time.js";
import { written } from "./settings.js";
import { say, t } from "./words.js";

const WEEKS = 26;

export default class Rules {
  element = h("article", {});

  async show() {
    const start = new Date(now() - WEEKS * 7 * 86400e3).toISOString();
    const [{ items }, record] = await Promise.all([get("/v1/rules"), get("/v1/performance", { start }).catch(() => ({ rules: [] }))]);
    const known = new Map(record.rules.map((each) => [each.rule, each]));
    this.element.replaceChildren(
      h("header", { class: "head" }, h("div", {}, h("h1", { tabIndex: -1 }, t("nav.rules")), h("p", {}, t("ruled.intro")))),
      h("div", { class: "rules" }, items.map(({ rule, settings }) => this.#rule(rule, settings, known.get(rule)))),
      h("section", { class: "panel" }, h("p", { class: "soft" }, t("ruled.how")), h("div", { class: "command" }, h("pre", { tabIndex: 0 }, h("code", {}, "citygauge tune --help")))));
  }

  #rule(rule, settings, record) {
    return h("section", { class: "panel", "aria-labelledby": `rule-${rule}` },
      h("div", {}, h("h2", { id: `rule-${rule}` }, say("rules", rule)), h("p", {}, say("ruled", rule)),
        h("p", { class: "soft small" }, record?.raised ? t("ruled.record", record) : t("ruled.no_record"))),
      settings.length ? h("details", {}, h("summary", {}, `${t("ruled.settings")} (${settings.length})`), h("div", { class: "table-wrap tall scroll" }, h("table", { class: "list" },
        h("thead", {}, h("tr", {}, ["decides", "value"].map((name) => h("th", { scope: "col", class: name === "decides" ? "" : "num" }, t(`ruled.${name}`))))),
        h("tbody", {}, settings.map(({ name, value, default: usual }) => h("tr", {},
          h("td", {}, h("span", {}, say("limits", name)), h("div", { class: "soft small" }, h("code", {}, name))),
          h("td", { class: "num" }, h("b", {}, written(name, value)), value === usual ? null : h("div", {}, h("span", { class: "chip warning" }, t("ruled.changed")), h("div", { class: "soft small" }, `${t("ruled.default")} ${written(name, usual)}`))))))))) : null,
      settings.length ? h("p", {}, h("a", { href: address("rule", rule) }, t("tried.open"))) : h("p", { class: "soft small" }, t("ruled.learned")));
  }
}
