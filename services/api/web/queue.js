// The list of alerts. Cards keep their elements, so that focus and what is under the pointer stay.

import { send } from "./api.js";
import { byId, h, icon } from "./dom.js";
import { badge } from "./shell.js";
import { ago, stamp, clock } from "./times.js";
import { placeOf, say, stateOf, t } from "./words.js";
import { byTime, byUrgency, events, hidden } from "./cases.js";

export class Queue {
  #cards = new Map();
  #wrongs = new Map();
  #unfolded = new Set();
  show = "open";
  chosen = "";

  constructor(cases) {
    this.cases = cases;
    this.list = byId("cards");
    this.note = byId("queue-note");
    this.more = byId("more");
    for (const button of document.querySelectorAll("[data-show]")) {
      button.addEventListener("click", () => this.turn(button.dataset.show));
    }
    this.more.addEventListener("click", () => this.load(true));
    cases.addEventListener("change", (event) => this.#changed(event.detail));
    setInterval(() => this.draw(), 30000);
  }

  turn(show) {
    this.show = show;
    for (const button of document.querySelectorAll("[data-show]")) {
      button.setAttribute("aria-pressed", String(button.dataset.show === show));
    }
    this.draw();
    return this.load();
  }

  async load(more = false) {
    if (!this.#cards.size && this.note.hidden) this.list.replaceChildren(...[1, 2, 3].map(() => h("li", { class: "ghost" })));
    this.list.setAttribute("aria-busy", "true");
    try {
      await (this.show === "open" ? this.cases.loadOpen() : this.cases.loadAll(more));
      this.loaded = true;
      this.draw();
    } catch (problem) {
      if (!this.loaded) this.list.replaceChildren();
      this.#tell(t("now.load_failed"), problem.message, h("button", { type: "button", onclick: () => this.load() }, t("states_page.retry")));
    } finally {
      this.list.removeAttribute("aria-busy");
    }
  }

  choose(id) {
    this.chosen = id;
    for (const [each, card] of this.#cards) card.classList.toggle("chosen", each === id);
  }

  draw() {
    if (!this.loaded) return;
    const alerts = this.cases.listed(this.show);
    const folded = events(alerts, this.show === "open" ? byUrgency : byTime);
    const shown = folded.flatMap((event) => (this.#open(event) ? [[event.alert, event], ...event.rest.map((alert) => [alert, null])] : [[event.alert, event]]));
    const wanted = new Set(shown.map(([alert]) => alert.id));
    for (const [id, card] of this.#cards) if (!wanted.has(id)) { card.remove(); this.#cards.delete(id); }
    for (const ghost of this.list.querySelectorAll(".ghost")) ghost.remove();
    let at = this.list.firstElementChild;
    for (const [alert, event] of shown) {
      const card = this.#card(alert, event);
      if (card === at) at = at.nextElementSibling;
      else this.list.insertBefore(card, at);
    }
    byId("count").textContent = folded.length ? String(folded.length) + (this.cases.hasMore(this.show) ? "+" : "") : "";
    const opened = events(this.cases.listed("open"), byUrgency).length;
    document.title = opened ? `(${opened}) Citygauge` : "Citygauge";
    badge(opened, this.cases.hasMore("open"));
    this.more.hidden = this.show === "open" || !this.cases.hasMore(this.show);
    if (alerts.length) this.note.hidden = true;
    else if (this.cases.hasMore(this.show)) this.note.hidden = true;
    else if (this.show === "open") this.#tell(t("now.quiet_title"), t("now.quiet"));
    else this.#tell(t("now.none_title"), t("now.none"));
  }

  #tell(title, sentence, ...rest) {
    this.note.replaceChildren(h("b", {}, title), sentence, h("div", {}, ...rest));
    this.note.hidden = false;
  }

  #changed({ alert, isNew }) {
    this.loaded = true;
    this.draw();
    if (!alert || !isNew || !alert.active) return;
    byId("announcer").textContent = t("now.announce", { severity: say("severities", alert.severity), rule: say("rules", alert.rule), place: placeOf(alert) });
    this.#cards.get(alert.id)?.classList.add("fresh");
  }

  // Whether an event's other alerts are shown: on request, or because one of them is being read.
  #open({ group, rest }) {
    return this.#unfolded.has(group) || rest.some((alert) => alert.id === this.chosen);
  }

  #card(alert, event) {
    let card = this.#cards.get(alert.id);
    if (!card) {
      card = h("li", { class: "card" });
      card.dataset.id = alert.id;
      this.#cards.set(alert.id, card);
    }
    const key = JSON.stringify([alert, hidden(alert), Math.floor(Date.now() / 30000), this.#wrongs.get(alert.id), event && [event.rest.map((each) => [each.id, each.version]), this.#open(event)]]);
    if (card.dataset.key === key) return card;
    const focused = card.contains(document.activeElement) ? document.activeElement.dataset.part : null;
    card.dataset.key = key;
    const done = !alert.active || alert.state === "resolved";
    for (const name of ["critical", "warning", "info"]) card.classList.toggle(name, !done && name === alert.severity);
    card.classList.toggle("done", done);
    card.classList.toggle("chosen", alert.id === this.chosen);
    card.classList.toggle("member", !event);
    card.replaceChildren(...this.#inside(alert, done, event?.rest ?? [], event?.group));
    if (focused) (card.querySelector(`[data-part="${focused}"]`) ?? card.querySelector("a"))?.focus();
    return card;
  }

  #inside(alert, done, rest, group) {
    const zone = alert.place?.time_zone ?? "UTC";
    const state = stateOf(alert, (value) => clock(value, zone));
    const link = h("a", { href: `#/alert/${alert.id}` }, say("rules", alert.rule));
    link.dataset.part = "open";
    const wrong = this.#wrongs.get(alert.id);
    return [
      icon(done ? "good" : alert.severity),
      h("div", {},
        h("div", { class: "card-top" },
          h("span", { class: "small tone" }, h("b", {}, done ? t("states.was", { severity: say("severities", alert.severity).toLowerCase() }) : say("severities", alert.severity))),
          h("span", { class: "age" }, t("now.since", { time: "" }), stamp(alert.started_at, zone), new Date(alert.started_at) < Date.now() ? ` · ${ago(alert.started_at)}` : "")),
        h("h2", { class: "card-title" }, link),
        h("p", { class: "card-place" }, placeOf(alert)),
        h("p", { class: "card-sentence", lang: "en" }, alert.sentence),
        h("div", { class: "card-foot" }, h("span", { class: "chip" }, state), rest.length ? this.#others(rest, group) : null, this.#quick(alert, rest)),
        wrong ? h("p", { class: "wrong card-wrong", role: "alert" }, wrong) : null),
    ];
  }

  #others(rest, group) {
    const unfolded = this.#open({ group, rest });
    const button = h("button", { type: "button", class: "quiet", "aria-expanded": String(unfolded), "aria-label": unfolded ? t("now.fold_all") : t("now.unfold_all", { count: rest.length }), onclick: () => {
      if (!this.#unfolded.delete(group)) this.#unfolded.add(group);
      this.draw();
    } }, unfolded ? t("now.fold") : t("now.unfold", { count: rest.length }));
    button.dataset.part = "unfold";
    return button;
  }

  #quick(alert, rest) {
    const waiting = [alert, ...rest].filter((each) => each.active && each.allowed_changes.includes("acknowledged"));
    if (!waiting.length) return null;
    const words = waiting.length > 1 ? t("now.acknowledge_all", { count: waiting.length }) : t("now.acknowledge");
    const button = h("button", { type: "button", "aria-label": `${words}: ${placeOf(alert)}`, onclick: () => this.#acknowledge(alert, waiting, button) }, words);
    button.dataset.part = "acknowledge";
    return button;
  }

  async #acknowledge(alert, waiting, button) {
    button.disabled = true;
    this.#wrongs.delete(alert.id);
    try {
      for (const each of waiting) this.cases.take(await send("POST", `/v1/alerts/${each.id}/acknowledge`, { expected_version: each.version }));
    } catch (problem) {
      this.#wrongs.set(alert.id, problem.message);
      if (problem.body?.current) this.cases.take(problem.body.current);
      button.disabled = false;
      this.draw();
    }
  }
}
