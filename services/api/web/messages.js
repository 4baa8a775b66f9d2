// Messages: how each route fares, with a real test, and what was told to whom, with every attempt that failed.

import { get, send, whyOf } from "./api.js";
import { address, keep } from "./address.js";
import { h, icon, later } from "./dom.js";
import { me } from "./me.js";
import { spoken } from "./said.js";
import { empty, failed, loading } from "./states.js";
import { ago, clock, stamp } from "./times.js";
import { number, placeOf, say, t } from "./words.js";

const FRESH_MS = 10_000;
const HEALTH = { good: ["good", "good"], refused: ["warning", "warning"], dead: ["critical", "critical"], idle: ["", "info"] };
const STATES = ["waiting", "sent", "given_up", "needless"];

export default class Messages {
  element = h("article", {});
  #tested = new Map();

  constructor({ query }) { this.query = query; }

  async show() {
    this.routesPlace = h("div", { class: "stack" }, loading());
    this.listPlace = h("div", { class: "stack" });
    this.element.replaceChildren(
      h("header", { class: "head" }, h("div", {}, h("h1", { tabIndex: -1 }, t("nav.messages")), h("p", {}, t("messages.intro")))),
      h("section", { class: "panel" }, h("h2", {}, t("messages.routes")), this.routesPlace), this.#told());
    await Promise.all([this.#routes(), this.list()]);
    this.timer = setInterval(() => { if (!document.hidden && !this.element.querySelector("[data-testing]")) this.#routes(); }, FRESH_MS);
  }

  async #routes() {
    try {
      const { items } = await get("/v1/routes");
      const focused = document.activeElement?.dataset?.route;
      this.routesPlace.replaceChildren(items.length ? this.#table(items) : empty(t("messages.none"), t("messages.none_how")));
      this.offer(items.map(({ name }) => name));
      if (focused) [...this.routesPlace.querySelectorAll("button")].find((each) => each.dataset.route === focused)?.focus();
    } catch (problem) { this.routesPlace.replaceChildren(failed(problem, () => this.#routes())); }
  }

  #table(items) {
    const columns = ["route", "health", "last", "waiting", "sent_day", "given_up_day", "test"];
    return h("div", { class: "table-wrap tall", tabIndex: 0 }, h("table", { class: "list" }, h("caption", { class: "unseen" }, t("messages.routes")),
      h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col", class: ["waiting", "sent_day", "given_up_day"].includes(name) ? "num" : "" }, t(`messages.${name}`))))),
      h("tbody", {}, items.map((route) => {
        const [tone, sign] = HEALTH[route.health];
        return h("tr", {}, h("th", { scope: "row" }, route.name, h("div", { class: "soft small" }, route.channel ? t("messages.by", { channel: say("channels", route.channel), severity: say("severities", route.from_severity).toLowerCase() }) : t("messages.unknown"))),
          h("td", {}, h("span", { class: `chip ${tone}` }, icon(sign, 16), t(`messages.h_${route.health}`)),
            route.last_problem && route.health !== "good" ? h("div", { class: "small any" }, because(route.last_problem_said, route.last_problem), " ", h("span", { class: "soft" }, ago(route.last_failed_at))) : null),
          h("td", {}, route.last_sent_at ? h("span", {}, stamp(route.last_sent_at, null), ` · ${ago(route.last_sent_at)}`) : t("messages.never")),
          h("td", { class: "num" }, number(route.waiting)), h("td", { class: "num" }, number(route.sent_day)), h("td", { class: "num" }, number(route.given_up_day)),
          h("td", {}, this.#test(route)));
      }))));
  }

  #test(route) {
    if (!route.can_test || !me.may) return h("span", { class: "soft small" }, route.can_test ? t("messages.may_not") : t("messages.not_here"));
    const note = h("div", { class: "small any", role: "status" }, this.#tested.get(route.name) ?? "");
    const button = h("button", { type: "button", "aria-label": t("messages.send_to", { route: route.name }), onclick: async () => {
      button.disabled = true;
      button.dataset.testing = "yes";
      note.textContent = t("acts.sending");
      let said;
      try {
        const { receipt, receipt_said } = await send("POST", `/v1/routes/${encodeURIComponent(route.name)}/test`);
        said = receipt ? t("messages.took_receipt", { receipt: spoken({ said: receipt_said, sentence: receipt }).sentence }) : t("messages.took");
      } catch (problem) { said = problem.status === 503 && problem.body.detail ? t("messages.refused_by", { why: whyOf(problem.body, problem.body.detail) }) : problem.message; }
      this.#tested.set(route.name, said);
      note.textContent = said;
      button.disabled = false;
      delete button.dataset.testing;
    } }, t("messages.send"));
    button.dataset.route = route.name;
    return h("div", {}, button, note);
  }

  #told() {
    const { route = "", state = "", alert = "" } = this.query;
    this.route = h("select", {}, h("option", { value: route }, route || t("messages.every_route")));
    this.offer = (names) => {
      const chosen = this.route.value;
      this.route.replaceChildren(h("option", { value: "" }, t("messages.every_route")), ...names.map((name) => h("option", { value: name, selected: name === chosen }, name)));
    };
    this.state = h("select", {}, h("option", { value: "" }, t("messages.every_state")), STATES.map((name) => h("option", { value: name, selected: name === state }, t(`messages.s_${name}`))));
    this.alert = alert;
    this.about = h("div", { hidden: !alert }, alert ? h("span", { class: "chip" }, h("a", { href: address("alert", alert) }, t("messages.one_alert"))) : null,
      h("button", { type: "button", class: "quiet", onclick: () => { this.alert = ""; this.about.hidden = true; this.again(); } }, t("messages.every_alert")));
    this.again = later(() => { keep({ route: this.route.value, state: this.state.value, alert: this.alert }); this.list(); }, 0);
    this.route.addEventListener("change", this.again);
    this.state.addEventListener("change", this.again);
    return h("section", { class: "panel" }, h("h2", {}, t("messages.told")),
      h("div", { class: "tools" }, h("label", {}, t("messages.route"), this.route), h("label", {}, t("messages.state"), this.state), this.about), this.listPlace);
  }

  async list(after = null) {
    const mine = (this.asked = {});
    if (!after) this.listPlace.replaceChildren(loading());
    try {
      const page = await get("/v1/deliveries", { route: this.route.value, state: this.state.value, alert: this.alert, limit: 50, after });
      if (mine !== this.asked) return;
      if (!after) { this.rows = h("tbody", {}); this.listPlace.replaceChildren(page.items.length ? this.#deliveries() : empty(t("messages.nothing"), t("messages.nothing_how"))); }
      this.rows.append(...page.items.map(row));
      if (page.has_more) {
        const more = h("button", { type: "button", class: "more", onclick: () => { more.remove(); this.list(page.next); } }, t("messages.older"));
        this.listPlace.append(more);
      }
    } catch (problem) { if (mine === this.asked) this.listPlace.replaceChildren(failed(problem, () => this.list())); }
  }

  #deliveries() {
    return h("div", { class: "table-wrap tall", tabIndex: 0 }, h("table", { class: "list" }, h("caption", { class: "unseen" }, t("messages.told")),
      h("thead", {}, h("tr", {}, ["planned", "what", "route", "state", "attempts"].map((name) => h("th", { scope: "col", class: name === "attempts" ? "num" : "" }, t(`messages.${name}`))))), this.rows));
  }

  destroy() { clearInterval(this.timer); }
}

// Why it did not work, in the reader's language; words of the other side, and those of earlier versions, as they came.
function because(said, problem) {
  const { sentence, lang } = spoken({ said, sentence: problem });
  return h("span", { lang }, sentence);
}

const TONES = { sent: "good", waiting: "", given_up: "critical", needless: "" };

function row(each) {
  const when = each.state === "sent" ? stamp(each.sent_at, null) : each.state === "waiting" && each.next_attempt_at ? h("span", {}, t("messages.next", { time: clock(each.next_attempt_at) })) : null;
  const why = each.state === "waiting" && each.held_until ? t("messages.held", { time: clock(each.held_until) }) : null;
  return h("tr", {}, h("td", {}, stamp(each.created_at, null)),
    h("td", {}, h("a", { href: address("alert", each.alert_id) }, `${say("rules", each.rule)}, ${placeOf(each)}`), h("div", { class: "soft small" }, say("events", each.event), each.round || each.reason === "escalated" ? " · " : "", each.round ? t("messages.round", { count: each.round }) : each.reason === "escalated" ? t("messages.escalated") : "")),
    h("td", {}, each.route),
    h("td", {}, h("span", { class: `chip ${TONES[each.state]}` }, t(`messages.s_${each.state}`)), when ? h("div", { class: "soft small" }, when) : null, why ? h("div", { class: "soft small" }, why) : null,
      each.receipt ? h("div", { class: "soft small any" }, t("messages.receipt", { receipt: spoken({ said: each.receipt_said, sentence: each.receipt }).sentence })) : null),
    h("td", { class: "num" }, number(each.attempts), each.failures.length ? h("details", { class: "left" }, h("summary", {}, t("messages.failed", { count: each.failures.length })),
      h("ol", { class: "plain" }, each.failures.map((failure) => h("li", { class: "small any" }, stamp(failure.at, null), " ", because(failure.problem_said, failure.problem))))) : each.problem && each.state !== "sent" ? h("div", { class: "soft small any left" }, because(each.problem_said, each.problem)) : null));
}
