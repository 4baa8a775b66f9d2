// Data quality: what became of every reading, how complete each sensor's days are, and what could not be stored.

import { get } from "./api.js";
import { address, keep } from "./address.js";
import { breakable, h, icon, later } from "./dom.js";
import { heat } from "./heat.js";
import { me } from "./me.js";
import { act } from "./rejections.js";
import { wrong } from "./said.js";
import { now } from "./server-time.js";
import { empty, failed, loading } from "./states.js";
import { ago, stamp, utc } from "./times.js";
import { number, say, share, t } from "./words.js";

const TABS = ["accounts", "days", "rejected"];
const PARTS = ["stored", "duplicate", "rejected", "in_flight"];
const FRESH_MS = 5000;
const SILENT_S = 60;
const MEASURES = ["complete", "valid", "timely"];

export default class Quality {
  element = h("article", {});

  constructor({ query }) { this.query = query; this.tab = TABS.includes(query.tab) ? query.tab : TABS[0]; }

  async show() {
    this.place = h("div", { class: "stack" });
    this.element.replaceChildren(
      h("header", { class: "head" }, h("div", {}, h("h1", { tabIndex: -1 }, t("nav.quality")), h("p", {}, t(`quality.${this.tab}_intro`)))),
      h("nav", { class: "tabs", "aria-label": t("quality.tabs") }, TABS.map((tab) => h("a", { href: address("quality", "", { tab }), "aria-current": tab === this.tab ? "page" : null }, t(`quality.${tab}`)))),
      this.place);
    if (this.tab === "accounts") {
      await this.#accounts();
      this.timer = setInterval(() => { if (!document.hidden) this.#accounts().catch((problem) => this.#stale(problem)); }, FRESH_MS);
    } else if (this.tab === "days") await this.#days();
    else await this.#rejected();
  }

  #stale() { if (this.note) this.note.textContent = t("states_page.stale", { time: utc(this.at) }); }

  // received = stored + duplicate + rejected + in flight, drawn as one bar and written as a sum.
  async #accounts() {
    // The day first: what comes in between may not make it more than all.
    const day = await get("/v1/ingest/accounting", { since: new Date(now() - 86400e3).toISOString() });
    const { total, workers } = await get("/v1/ingest/accounting");
    this.at = now();
    const sum = PARTS.reduce((whole, part) => whole + total[part], 0);
    const balanced = sum === total.received;
    this.note = h("p", { class: "soft small", role: "status" });
    this.place.replaceChildren(
      h("section", { class: "panel" }, h("h2", {}, t("quality.books")),
        h("p", { class: "sum num" }, h("b", {}, number(total.received)), ` ${t("quality.received")} = `, PARTS.map((part, i) => [i ? " + " : "", h("b", {}, number(total[part])), ` ${t(`quality.sum_${part}`)}`]).flat()),
        h("div", { class: "stripe", role: "img", "aria-label": PARTS.map((part) => `${t(`quality.sum_${part}`)} ${share(total[part] / (total.received || 1), 2)}`).join(", ") },
          PARTS.map((part) => { const piece = h("i", { class: `p-${part}` }); piece.style.flexGrow = String(total[part]); return total[part] ? piece : null; })),
        h("p", { class: balanced ? "verdict good" : "verdict warning" }, icon(balanced ? "good" : "warning", 18), balanced ? t("quality.balanced") : t("quality.off", { count: Math.abs(sum - total.received) })),
        this.note),
      h("section", { class: "panel" }, h("h2", {}, t("quality.more")), h("div", { class: "table-wrap tall", tabIndex: 0 }, h("table", { class: "list" },
        h("thead", {}, h("tr", {}, h("td", {}), h("th", { scope: "col", class: "num" }, t("quality.ever")), h("th", { scope: "col", class: "num" }, t("quality.day")))),
        h("tbody", {}, ["received", "messages", "stored", "merged", "revised", "late", "duplicate", "conflicting", "rejected"].map((part) => h("tr", {},
          h("th", { scope: "row" }, t(`quality.${part}_long`)), h("td", { class: "num" }, number(total[part])), h("td", { class: "num" }, number(day.total[part])))))))),
      h("section", { class: "panel" }, h("h2", {}, t("quality.workers")), workers.length ? h("div", { class: "table-wrap tall", tabIndex: 0 }, h("table", { class: "list" },
        h("thead", {}, h("tr", {}, ["worker", "heard", "holds"].map((name) => h("th", { scope: "col", class: name === "holds" ? "num" : "" }, t(`quality.${name}`))))),
        h("tbody", {}, workers.map((worker) => h("tr", {}, h("td", {}, worker.name),
          h("td", {}, worker.silent_s > SILENT_S ? h("span", { class: "chip warning" }, icon("warning", 16), t("quality.gone", { time: ago(worker.seen_at) })) : t("quality.lives")),
          h("td", { class: "num" }, number(worker.in_flight))))))) : empty(t("quality.no_worker"), t("quality.no_worker_how"))));
  }

  async #days() {
    const { q = "", measure = MEASURES[0], days = "28" } = this.query;
    const box = h("input", { type: "search", value: q, maxLength: 100 });
    const what = h("select", {}, MEASURES.map((name) => h("option", { value: name, selected: name === measure }, t(`quality.${name}`))));
    const span = h("select", {}, ["14", "28", "56", "92"].map((count) => h("option", { value: count, selected: count === days }, t("quality.span", { count: Number(count) }))));
    const shown = h("div", { class: "stack" });
    let next = null;
    const load = async (more = false) => {
      const mine = (this.asked = {});
      if (!more) shown.replaceChildren(loading());
      try {
        const page = await get("/v1/quality/days", { q: box.value.trim(), days: span.value, after: more ? next : null });
        if (mine !== this.asked) return;
        next = page.next;
        if (!more) shown.replaceChildren();
        if (!page.items.length || !page.days.length) shown.append(empty(t("quality.none"), t("quality.none_how")));
        else shown.append(heat(page, what.value));
        if (page.has_more) {
          const button = h("button", { type: "button", class: "more", onclick: () => { button.remove(); load(true); } }, t("sensors.more"));
          shown.append(button);
        }
      } catch (problem) {
        if (mine === this.asked) shown.replaceChildren(failed(problem, () => load()));
      }
    };
    const again = later(() => { keep({ q: box.value.trim(), measure: what.value, days: span.value }); load(); }, 250);
    box.addEventListener("input", again);
    what.addEventListener("change", again);
    span.addEventListener("change", again);
    this.place.replaceChildren(h("div", { class: "tools" }, h("label", {}, t("sensors.find"), box), h("label", {}, t("quality.measure"), what), h("label", {}, t("quality.period"), span)), shown);
    await load();
  }

  async #rejected() {
    const { reason = "", state = "new" } = this.query;
    const why = h("select", { onchange: () => again() }, h("option", { value: "" }, t("quality.every_reason")), REASONS.map((name) => h("option", { value: name, selected: name === reason }, say("reasons", name))));
    const how = h("select", { onchange: () => again() }, ["new", "replayed", "discarded", ""].map((name) => h("option", { value: name, selected: name === state }, name ? t(`quality.state_${name}`) : t("quality.every_state"))));
    const rows = h("tbody", {});
    const note = h("div", {});
    const more = h("button", { type: "button", class: "more", hidden: true, onclick: () => load(true) }, t("quality.older"));
    const table = h("div", { class: "table-wrap tall", tabIndex: 0 }, h("table", { class: "list" }, h("caption", { class: "unseen" }, t("quality.rejected")),
      h("thead", {}, h("tr", {}, ["came", "reason", "detail", "topic", "state"].map((name) => h("th", { scope: "col" }, t(`quality.${name}`))))), rows));
    let next = null;
    const load = async (older = false) => {
      try {
        const page = await get("/v1/rejected", { reason: why.value, state: how.value, limit: 50, after: older ? next : null });
        next = page.next;
        const made = page.items.map((message) => h("tr", {}, h("td", {}, h("a", { href: address("rejected", String(message.id)) }, stamp(message.received_at, "UTC"))),
          h("td", {}, say("reasons", message.reason)), detailOf(message), h("td", {}, h("code", {}, breakable(message.topic))), h("td", { class: "whole" }, t(`quality.state_${message.state}`))));
        if (older) rows.append(...made);
        else rows.replaceChildren(...made);
        more.hidden = !page.has_more;
        table.hidden = !rows.children.length;
        note.replaceChildren(...(rows.children.length ? [] : [empty(t("quality.no_rejected"), t("quality.no_rejected_how"))]));
      } catch (problem) { note.replaceChildren(failed(problem, () => load(older))); }
    };
    const told = h("p", { class: "verdict", role: "status" });
    const all = h("div", { class: "acts" }, ["replay", "discard"].map((name) => h("button", { type: "button", onclick: () =>
      act(name, { reason: why.value }, t("rejections.all", { reason: say("reasons", why.value) }), (sentence) => { told.textContent = sentence; load(); }) }, t(`rejections.${name}_all`))));
    const offer = () => { all.hidden = !(me.may && why.value && how.value === "new"); };
    const again = () => { keep({ reason: why.value, state: how.value }); told.textContent = ""; offer(); load(); };
    offer();
    this.place.replaceChildren(h("div", { class: "tools" }, h("label", {}, t("quality.reason"), why), h("label", {}, t("quality.state"), how)),
      me.may ? h("p", { class: "soft small" }, t("rejections.choose")) : null, all, told, note, table, more);
    await load();
  }

  destroy() { clearInterval(this.timer); }
}

function detailOf(message) {
  const { sentence, lang } = wrong(message);
  return h("td", { lang }, sentence);
}

const REASONS = ["not_json", "not_utf8", "too_large", "too_deep", "wrong_type", "missing_field", "unknown_field", "unknown_metric", "unknown_unit",
  "not_finite", "no_value", "bad_time", "time_without_zone", "time_in_future", "time_too_old", "bad_sensor_id", "unknown_topic", "unknown_sensor",
  "wrong_domain", "decoder_error", "refused_by_database"];
