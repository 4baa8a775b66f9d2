// The list of alerts. Cards keep their elements and their places while a person points at them or is among them: what
// arrives meanwhile waits behind one button. Only as many cards exist as were scrolled to.

import { bulk } from "./bulk.js";
import { change } from "./changes.js";
import { inside } from "./card.js";
import { byTime, byUrgency, events, hidden } from "./cases.js";
import { byId, h } from "./dom.js";
import { me } from "./me.js";
import { badge } from "./shell.js";
import { placeOf, say, t } from "./words.js";

const STEP = 40;
const SETTLE_MS = 400;
const CALM_MS = 250; // a flood of changes is drawn so often at most

export class Queue {
  #cards = new Map();
  #entries = new Map();
  #order = [];
  #wrongs = new Map();
  #hopes = new Map(); // what was done here and not yet answered
  #unfolded = new Set();
  #asking = 0;
  #limit = STEP;
  #pointed = false;
  #pressed = null; // the card under a button or finger that is down: drawn anew it would lose the click
  #due = 0;
  show = "open";
  chosen = "";
  picked = new Set();

  constructor(cases) {
    this.cases = cases;
    this.list = byId("cards");
    this.note = byId("queue-note");
    this.more = byId("more");
    this.fresh = byId("fresh");
    for (const button of document.querySelectorAll("[data-show]")) button.addEventListener("click", () => this.turn(button.dataset.show));
    this.more.addEventListener("click", () => this.#further());
    this.fresh.addEventListener("click", () => this.settle());
    new IntersectionObserver(([entry]) => { if (entry.isIntersecting && !this.more.hidden) this.#further(); }, { rootMargin: "600px" }).observe(this.more);
    this.list.addEventListener("pointerenter", ({ pointerType }) => { this.#pointed = pointerType === "mouse"; });
    this.list.addEventListener("pointerleave", () => { this.#pointed = false; setTimeout(() => this.draw(), SETTLE_MS); });
    this.list.addEventListener("pointerdown", ({ target }) => { this.#pressed = target.closest(".card"); });
    for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => { if (this.#pressed) setTimeout(() => { this.#pressed = null; this.draw(); }); });
    this.list.addEventListener("focusout", () => setTimeout(() => this.draw(), SETTLE_MS));
    cases.addEventListener("change", ({ detail }) => this.#changed(detail));
    setInterval(() => this.draw(), 30000);
    this.bulk = bulk(this);
  }

  turn(show) {
    this.show = show;
    this.#limit = STEP;
    for (const button of document.querySelectorAll("[data-show]")) button.setAttribute("aria-pressed", String(button.dataset.show === show));
    this.settle();
    return this.load();
  }

  async load(more = false) {
    if (!this.#cards.size && this.note.hidden) this.list.replaceChildren(...[1, 2, 3].map(() => h("li", { class: "ghost" })));
    this.list.setAttribute("aria-busy", "true");
    this.#asking += 1;
    try {
      await (this.show === "open" ? this.cases.loadOpen() : this.cases.loadAll(more));
      this.loaded = true;
      this.draw();
    } catch (problem) {
      if (!this.loaded) this.list.replaceChildren();
      this.#tell(t("now.load_failed"), problem.message, h("button", { type: "button", onclick: () => this.load() }, t("states_page.retry")));
    } finally {
      this.#asking -= 1;
      if (!this.#asking) this.list.removeAttribute("aria-busy");
    }
  }

  choose(id) {
    this.chosen = id;
    for (const [each, card] of this.#cards) card.classList.toggle("chosen", each === id);
    this.draw();
  }

  // Every entry takes its place, also under the pointer: a person asked for it.
  settle() { this.#order = null; this.draw(); }

  held() { return this.#pointed || this.list.contains(document.activeElement) || this.picked.size > 0; }

  draw() {
    if (!this.loaded || byId("board").hidden) return this.#titles();
    clearTimeout(this.#due);
    this.#due = 0;
    const found = events(this.#listed(), this.show === "open" ? byUrgency : byTime, this.show === "open");
    const entries = this.#placed(found);
    const shown = entries.slice(0, this.#limit).flatMap((event) => (this.#open(event) ? [[event.alert, event], ...event.rest.map((alert) => [alert, null])] : [[event.alert, event]]));
    const wanted = new Set(shown.map(([alert]) => alert.id));
    for (const [id, card] of this.#cards) if (!wanted.has(id)) { card.remove(); this.#cards.delete(id); }
    for (const ghost of this.list.querySelectorAll(".ghost")) ghost.remove();
    let at = this.list.firstElementChild;
    for (const [alert, event] of shown) {
      const card = this.#card(alert, event);
      if (card === at) at = at.nextElementSibling;
      else this.list.insertBefore(card, at);
    }
    byId("count").textContent = found.length ? String(found.length) + (this.cases.hasMore(this.show) ? "+" : "") : "";
    this.more.hidden = entries.length <= this.#limit && (this.show === "open" || !this.cases.hasMore("all"));
    if (found.length || this.cases.hasMore(this.show)) this.note.hidden = true;
    else if (this.show === "open") this.#tell(t("now.quiet_title"), t("now.quiet"));
    else this.#tell(t("now.none_title"), t("now.none"));
    this.bulk.draw();
    this.#titles(this.show === "open" ? found.length : undefined);
    return undefined;
  }

  // While somebody is here, what is shown stays where it is; what is new waits.
  #placed(found) {
    const held = this.#order?.length && this.held();
    const now = new Map(found.map((event) => [event.group, event]));
    let entries = found;
    if (held) {
      const known = new Set(this.#order);
      entries = this.#order.map((group) => now.get(group) ?? this.#ended(group)).filter(Boolean);
      this.#wait(found.filter(({ group }) => !known.has(group)).length);
    } else this.#wait(0);
    this.#order = entries.map(({ group }) => group);
    this.#entries = new Map(entries.map((event) => [event.group, event]));
    return entries;
  }

  #ended(group) {
    const before = this.#entries.get(group);
    return before && { ...before, alert: this.cases.get(before.alert.id) ?? before.alert };
  }

  #wait(count) {
    this.fresh.hidden = !count;
    this.fresh.textContent = count ? t("now.arrived", { count }) : "";
  }

  #listed() {
    const alerts = this.cases.listed(this.show);
    return this.#hopes.size ? alerts.map((alert) => ({ ...alert, ...this.#hopes.get(alert.id) })) : alerts;
  }

  #titles(count = events(this.cases.listed("open"), byUrgency, true).length) {
    document.title = count ? `(${count}) Citygauge` : "Citygauge";
    badge(count, this.cases.hasMore("open"));
  }

  #further() {
    if (this.#order?.length > this.#limit) { this.#limit += STEP; this.draw(); }
    else if (this.show === "all" && this.cases.hasMore("all")) { this.#limit += STEP; this.load(true); }
  }

  #tell(title, sentence, ...rest) {
    this.note.replaceChildren(h("b", {}, title), sentence, h("div", {}, ...rest));
    this.note.hidden = false;
  }

  #changed({ alert, isNew }) {
    this.loaded = true;
    const tell = alert && isNew && alert.active && !hidden(alert);
    if (this.cases.size > 500 && !tell) this.#due ||= setTimeout(() => { this.#due = 0; this.draw(); }, CALM_MS);
    else this.draw();
    if (!tell) return;
    byId("announcer").textContent = t("now.announce", { severity: say("severities", alert.severity), rule: say("rules", alert.rule), place: placeOf(alert) });
    this.#cards.get(alert.id)?.classList.add("fresh");
  }

  // Whether an event's other alerts are shown: on request, or because one of them is being read.
  #open({ group, rest }) { return this.#unfolded.has(group) || rest.some((alert) => alert.id === this.chosen); }

  #card(alert, event) {
    let card = this.#cards.get(alert.id);
    if (!card) {
      card = h("li", { class: "card" });
      card.dataset.id = alert.id;
      this.#cards.set(alert.id, card);
    }
    const unfolded = Boolean(event) && this.#open(event);
    const key = [alert.version, alert.state, hidden(alert), Math.floor(Date.now() / 30000), this.#wrongs.get(alert.id), this.picked.has(alert.id), unfolded, event?.rest.map((each) => each.id + each.version + each.state)].join();
    if (card.dataset.key === key || card === this.#pressed) return card;
    const focused = card.contains(document.activeElement) ? document.activeElement.dataset.part : null;
    card.dataset.key = key;
    const done = !alert.active || alert.state === "resolved";
    for (const name of ["critical", "warning", "info"]) card.classList.toggle(name, !done && name === alert.severity);
    card.classList.toggle("done", done);
    card.classList.toggle("picked", this.picked.has(alert.id));
    card.classList.toggle("chosen", alert.id === this.chosen);
    card.classList.toggle("member", !event);
    card.replaceChildren(...inside(alert, { event, unfolded, chosen: this.picked.has(alert.id), wrong: this.#wrongs.get(alert.id), on: this.#on }));
    if (focused) (card.querySelector(`[data-part="${focused}"]`) ?? card.querySelector("a"))?.focus();
    return card;
  }

  #on = {
    unfold: ({ group }) => { if (!this.#unfolded.delete(group)) this.#unfolded.add(group); this.draw(); },
    acknowledge: (alert, waiting) => this.act("acknowledged", waiting.map((each) => this.cases.get(each.id) ?? each), {}, alert.id),
    choose: (alert, rest) => {
      const together = [alert, ...(this.#unfolded.has(alert.group_id) ? [] : rest)].map((each) => each.id);
      const add = !this.picked.has(alert.id);
      for (const id of together) if (add) this.picked.add(id); else this.picked.delete(id);
      this.draw();
    },
  };

  // Shows it as done at once; what the service refuses goes back to what it was, with the reason on its card.
  async act(name, alerts, facts, onCard = null) {
    for (const alert of alerts) {
      this.#wrongs.delete(alert.id);
      if (name === "acknowledged") this.#hopes.set(alert.id, { state: "acknowledged", acknowledged_by: me.name });
    }
    this.draw();
    const refused = [];
    const refuse = (id, why, current) => {
      refused.push([id, why]);
      this.#wrongs.set(onCard ?? id, why);
      if (current) this.cases.take(current);
    };
    try { await change(name, alerts, facts, (changed) => this.cases.take(changed), refuse); }
    catch (problem) { for (const alert of onCard ? alerts.slice(0, 1) : alerts) refuse(alert.id, problem.message); }
    for (const alert of alerts) this.#hopes.delete(alert.id);
    this.draw();
    return refused;
  }

  // The card that the keyboard is on: the focused one, or the one that is read.
  current() { return document.activeElement?.closest?.(".card")?.dataset.id ?? this.chosen; }

  step(by) {
    const cards = [...this.list.querySelectorAll(".card")];
    const at = cards.findIndex((card) => card.dataset.id === this.current());
    const next = cards[Math.max(0, Math.min(cards.length - 1, at < 0 ? 0 : at + by))];
    next?.querySelector('[data-part="open"]').focus();
    next?.scrollIntoView({ block: "nearest" });
  }

  press(name) { this.#cards.get(this.current())?.querySelector(`[data-part="${name}"]`)?.click(); }
}
