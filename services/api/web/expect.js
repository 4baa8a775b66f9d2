// What to expect: exemptions and maintenance windows, what they keep quiet now, and forms to add one and to end one early.

import { get, send } from "./api.js";
import { address, keep } from "./address.js";
import { fields, weekday } from "./expecting.js";
import { h, icon } from "./dom.js";
import { me } from "./me.js";
import { now } from "./server-time.js";
import { empty, failed, loading } from "./states.js";
import { ago, clock, stamp } from "./times.js";
import { placeOf, say, t } from "./words.js";

const KINDS = { exemption: "exemptions", maintenance: "maintenance" };
const LISTED = 8;

export default class Expect {
  element = h("article", {});

  constructor({ query }) {
    this.query = query;
    this.all = query.all === "yes";
  }

  async show() {
    this.place = h("div", { class: "stack" });
    const box = h("input", { type: "checkbox", checked: this.all, onchange: () => { this.all = box.checked; keep({ all: this.all ? "yes" : null }); this.load(); } });
    this.adding = h("div", {});
    this.element.replaceChildren(
      h("header", { class: "head" }, h("div", {}, h("h1", { tabIndex: -1 }, t("nav.expect")), h("p", {}, t("expect.intro")))),
      h("div", { class: "tools" }, me.may ? this.opener = h("button", { type: "button", class: "primary", onclick: () => this.#open() }, t("expect.add")) : h("p", { class: "soft" }, t("expect.may_not")),
        h("label", { class: "check" }, box, t("expect.all"))),
      this.adding, this.place);
    await this.load();
    if (this.query.add === "yes" && me.may) this.#open();
  }

  async load(said = null) {
    const mine = (this.asked = {});
    if (!this.place.children.length) this.place.replaceChildren(loading());
    try {
      const pages = await Promise.all([
        ...Object.values(KINDS).map((path) => get(`/v1/${path}`, { current: this.all ? "false" : "true", limit: 200 })),
        get("/v1/alerts", { suppressed: "true", state: "open", limit: 500 }),
      ]);
      if (mine !== this.asked) return;
      const quiet = new Map();
      for (const alert of pages[2].items) quiet.set(alert.suppressed_by, [...(quiet.get(alert.suppressed_by) ?? []), alert]);
      const items = [...pages[0].items, ...pages[1].items].sort((a, b) => rank(a) - rank(b) || b.created_at.localeCompare(a.created_at));
      this.place.replaceChildren(h("p", { class: said ? "verdict good" : "unseen", role: "status" }, said ? icon("good", 18) : null, said ?? ""),
        ...(items.length ? items.map((each) => this.#card(each, quiet.get(each.name) ?? [])) : [empty(t("expect.none"), t("expect.none_how"))]));
    } catch (problem) {
      if (mine === this.asked) this.place.replaceChildren(failed(problem, () => this.load()));
    }
  }

  #card(each, quiet) {
    const zone = each.time_zone;
    const state = stateOf(each);
    const place = h("div", {});
    const facts = [
      [t("expect.where"), whereOf(each)],
      [t("expect.which"), each.rules.length ? each.rules.map((rule) => say("rules", rule)).join(", ") : t("expect.every_rule")],
      [t("expect.from"), stamp(each.starts_at, zone)],
      [t("expect.until"), stamp(each.ended_at ?? each.ends_at, zone)],
      each.hours.length ? [t("expect.hours"), each.hours.map((hours) => `${hours.days.map(weekday).join(", ")} ${hours.start}–${hours.end}`).join("; ")] : null,
      [t("expect.by"), `${each.created_by}, ${ago(each.created_at)}`],
      each.ended_by ? [t("expect.ended_by"), each.ended_by] : null,
    ].filter(Boolean);
    const over = state === "over";
    return h("section", { class: "panel", "aria-labelledby": `expect-${each.id}` },
      h("div", {}, h("div", { class: "chips" },
        h("span", { class: `chip ${state === "live" ? "info" : ""}` }, t(`expect.${state}`)), h("span", { class: "chip" }, t(`expect.${each.kind}`)),
        each.held ? h("span", { class: "chip warning" }, t("expect.held", { count: each.held })) : null),
      h("h2", { id: `expect-${each.id}`, class: "any" }, each.reason)),
      h("dl", { class: "facts bare" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
      quiet.length ? h("div", {}, h("h3", {}, t("expect.quiet")), h("div", { class: "mini" }, quiet.slice(0, LISTED).map((alert) => h("a", { href: address("alert", alert.id) },
        h("span", {}, `${say("rules", alert.rule)}, ${placeOf(alert)}`), h("span", { class: "soft small" }, clock(alert.started_at, alert.place?.time_zone ?? "UTC"))))),
      quiet.length > LISTED ? h("p", { class: "soft small" }, t("expect.more", { count: quiet.length - LISTED })) : null) : null,
      over || !me.may ? null : place, over || !me.may ? null : this.#ender(each, place));
  }

  // Ending says what will follow before it happens: what was held back and is still there is told.
  #ender(each, place) {
    const path = `/v1/${KINDS[each.kind]}/${each.id}/end`;
    const opener = h("div", { class: "acts" }, h("button", { type: "button", "aria-label": `${t("expect.end")}: ${each.reason}`, onclick: () => {
      opener.hidden = true;
      const why = h("textarea", { name: "comment", maxLength: 10000, dir: "auto" });
      place.replaceChildren(ask(t("expect.end"), [h("p", {}, t("expect.end_how", { count: each.held })), h("label", {}, t("expect.end_why"), why)],
        async () => { await send("POST", path, why.value.trim() ? { comment: why.value.trim() } : {}); await this.load(t("expect.ended")); this.element.querySelector("h1").focus(); },
        () => { place.replaceChildren(); opener.hidden = false; opener.querySelector("button").focus(); }));
      why.focus();
    } }, t("expect.end")));
    return opener;
  }

  #open() {
    const made = fields(this.query);
    this.opener.hidden = true;
    const close = () => { this.adding.replaceChildren(); this.opener.hidden = false; this.opener.focus(); };
    this.adding.replaceChildren(ask(t("expect.add"), made.nodes, async () => {
      const { path, body } = made.read();
      await send("POST", `/v1/${path}`, body);
      made.forget();
      close();
      await this.load(t("expect.added"));
    }, close));
    this.adding.querySelector("input, select, textarea")?.focus();
  }
}

// A form that says what went wrong and keeps what was typed.
function ask(label, nodes, act, cancel) {
  const wrong = h("p", { class: "wrong", role: "alert", hidden: true });
  const submit = h("button", { class: "primary", type: "submit" }, label);
  const form = h("form", { class: "form", novalidate: true, "aria-label": label }, ...nodes, wrong,
    h("div", { class: "acts" }, submit, h("button", { type: "button", onclick: cancel }, t("acts.cancel"))));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    wrong.hidden = true;
    submit.disabled = true;
    try { await act(); } catch (problem) { wrong.textContent = `${problem.message} ${t("acts.kept")}`; wrong.hidden = false; }
    submit.disabled = false;
  });
  return form;
}

function stateOf(each) {
  if (each.ended_at || new Date(each.ends_at) < now()) return "over";
  return each.live ? "live" : new Date(each.starts_at) > now() ? "planned" : "resting";
}
const ORDER = ["live", "resting", "planned", "over"];
const rank = (each) => ORDER.indexOf(stateOf(each));

function whereOf(each) {
  const parts = [
    ...each.subjects.map((subject) => (subject.includes("/") ? subject : h("a", { href: address("sensor", subject) }, subject))),
    each.zone ? h("a", { href: address("zone", each.zone) }, each.zone) : null,
    each.road, each.domain ? say("domains", each.domain) : null,
  ].filter(Boolean);
  return parts.length ? h("span", {}, parts.flatMap((part, i) => (i ? [", ", part] : [part]))) : t("expect.everywhere");
}
