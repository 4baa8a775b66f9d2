// One rule: what it asks, its limits, and what other values would have told over the readings that are stored.

import { get, send, whyOf } from "./api.js";
import { keep } from "./address.js";
import { city, roadsOf, zonesOf } from "./city.js";
import { byId, h, icon } from "./dom.js";
import { me } from "./me.js";
import { compared } from "./preview.js";
import { settled, unitOf, written } from "./settings.js";
import { failed } from "./states.js";
import { clock } from "./times.js";
import { say, share, t } from "./words.js";

const DAYS = [7, 30, 90];
const LOOK_MS = 1000;
const RUNNING = new Set(["waiting", "running"]);

export default class Rule {
  element = h("article", {});

  constructor({ id, query }) { this.rule = id; this.query = query; }

  async show() {
    const [{ items }, town] = await Promise.all([get("/v1/rules"), city().catch(() => null)]);
    const found = items.find(({ rule }) => rule === this.rule);
    this.answer = h("div", { class: "stack" });
    this.element.replaceChildren(
      h("header", { class: "head" }, h("div", {}, h("a", { class: "back always quiet", href: "#/rules" }, icon("back", 20), t("nav.rules")),
        h("h1", { tabIndex: -1 }, say("rules", this.rule)), h("p", {}, say("ruled", this.rule)))),
      found?.settings.length ? this.#form(found.settings, town) : h("p", { class: "soft" }, t("ruled.learned")), this.answer);
    if (this.query.preview) await this.#follow(this.query.preview);
  }

  #form(settings, town) {
    const limits = settings.filter(({ name, value }) => typeof value === "number" && !name.startsWith("water_price_")); // a price changes no alert
    const boxes = this.boxes = new Map(limits.map(({ name, value }) => [name, h("input", { type: "number", id: `limit-${name}`, name, step: "any", value: String(value), inputMode: "decimal" })]));
    const rows = limits.map((limit) => {
      const unit = unitOf(limit.name);
      const mine = unit && written(limit.name, limit.value);
      return h("div", { class: "limit" }, h("label", { for: `limit-${limit.name}` }, h("span", {}, say("limits", limit.name)), h("code", { class: "soft small" }, limit.name)),
        h("div", {}, boxes.get(limit.name), h("span", { class: "soft small" }, [unit ? say("units", unit) : null, t("tried.now", { value: mine || settled(limit.value) })].filter(Boolean).join(" · "))));
    });
    const days = h("select", { id: "tried-days" }, DAYS.map((count) => h("option", { value: String(count), selected: count === 30 }, t("tried.days", { count }))));
    const option = (kind, name) => h("option", { value: JSON.stringify({ [kind]: name }) }, name);
    const group = (label, options) => (options.length ? h("optgroup", { label }, options) : null);
    const roads = town ? [...new Set(roadsOf(town).map(({ road }) => road))] : [];
    const where = h("select", { id: "tried-where" }, h("option", { value: "{}" }, t("tried.everywhere")), h("option", { value: "sensor" }, t("tried.one_sensor")),
      group(t("nav.zones"), (town ? zonesOf(town) : []).map(({ zone }) => option("zone", zone))), group(t("nav.corridors"), roads.map((road) => option("road", road))));
    const sensor = h("input", { type: "text", id: "tried-sensor", maxLength: 128, autocomplete: "off", spellcheck: false });
    const ofSensor = h("div", { hidden: true }, h("label", { for: "tried-sensor" }, t("tried.sensor_id")), sensor);
    where.addEventListener("change", () => { ofSensor.hidden = where.value !== "sensor"; if (!ofSensor.hidden) sensor.focus(); });
    const wrong = h("p", { class: "wrong", role: "alert", hidden: true });
    const submit = h("button", { class: "primary", type: "submit", disabled: !me.may }, t("tried.ask"));
    const form = h("form", { class: "panel trial", novalidate: true, "aria-labelledby": "tried-title" },
      h("div", {}, h("h2", { id: "tried-title" }, t("tried.title")), h("p", { class: "soft small" }, me.may ? t("tried.how") : t("tried.may_not"))),
      h("div", { class: "limits" }, rows),
      h("div", { class: "tools" }, h("div", {}, h("label", { for: "tried-days" }, t("tried.time")), days), h("div", {}, h("label", { for: "tried-where" }, t("tried.where")), where), ofSensor),
      wrong, h("div", { class: "acts" }, submit, h("button", { type: "reset" }, t("tried.reset"))));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const changes = {};
      for (const { name, value } of limits) if (boxes.get(name).value.trim() !== "" && Number(boxes.get(name).value) !== value) changes[name] = Number(boxes.get(name).value);
      const fault = (words) => { wrong.textContent = words; wrong.hidden = !words; return Boolean(words); };
      if (fault(Object.keys(changes).length ? (where.value === "sensor" && !sensor.value.trim() ? t("tried.say_sensor") : "") : t("tried.change_one"))) return;
      submit.disabled = true;
      try {
        const place = where.value === "sensor" ? { sensor_id: sensor.value.trim() } : JSON.parse(where.value);
        const made = await send("POST", "/v1/rules/previews", { changes, days: Number(days.value), ...place });
        keep({ preview: made.id });
        await this.#follow(made.id);
        this.answer.scrollIntoView({ block: "nearest" });
      } catch (problem) { fault(problem.message); } finally { submit.disabled = false; }
    });
    return form;
  }

  async #follow(id) {
    const mine = (this.asked = {});
    clearTimeout(this.timer);
    const look = async () => {
      let preview;
      try { preview = await get(`/v1/rules/previews/${encodeURIComponent(id)}`); } catch (problem) {
        if (mine === this.asked) this.answer.replaceChildren(failed(problem, () => this.#follow(id)));
        return;
      }
      if (mine !== this.asked) return;
      this.#draw(preview);
      if (RUNNING.has(preview.state)) this.timer = setTimeout(look, LOOK_MS);
    };
    await look();
  }

  #draw(preview) {
    const { asked } = preview;
    if (this.said !== `${preview.id} ${preview.state}`) { // once for each state: progress is not read out
      this.said = `${preview.id} ${preview.state}`;
      byId("announcer").textContent = t(`tried.state_${preview.state}`);
      for (const [name, value] of Object.entries(asked.changes)) if (this.boxes?.has(name)) this.boxes.get(name).value = String(value);
    }
    const about = h("p", { class: "soft small" }, t("tried.about", { place: asked.sensor_id ?? asked.zone ?? asked.road ?? t("tried.everywhere"), from: clock(asked.start), to: clock(asked.end), name: preview.asked_by }));
    const changes = h("ul", { class: "chips" }, Object.entries(asked.changes).map(([name, value]) => h("li", { class: "chip" }, h("code", {}, name), ` = ${written(name, value)}`)));
    if (preview.state === "done") { this.answer.replaceChildren(...compared(preview, about)); return; }
    const cancel = h("button", { type: "button", onclick: async () => {
      cancel.disabled = true;
      try { await send("DELETE", `/v1/rules/previews/${preview.id}`); this.#follow(preview.id); } catch (problem) { this.answer.append(h("p", { class: "wrong", role: "alert" }, problem.message)); }
    } }, t("tried.cancel"));
    const running = RUNNING.has(preview.state);
    this.answer.replaceChildren(h("section", { class: "panel" }, h("h2", {}, t(`tried.state_${preview.state}`)), about, changes,
      running ? h("progress", { max: "1", value: String(preview.progress), "aria-label": t("tried.progress") }) : null, running ? h("p", { class: "soft small num" }, share(preview.progress)) : null,
      preview.problem ? h("p", { class: "wrong", role: "alert" }, whyOf({ said: preview.problem_said }, preview.problem)) : null, running && me.may ? h("div", { class: "acts" }, cancel) : null));
  }

  destroy() { this.asked = null; clearTimeout(this.timer); }
}
