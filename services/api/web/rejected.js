// One rejected message: why, its bytes as they came, and how to read it again after a fix.

import { get } from "./api.js";
import { address } from "./address.js";
import { h, icon } from "./dom.js";
import { me } from "./me.js";
import { act } from "./rejections.js";
import { toDo, wrong } from "./said.js";
import { stamp, utc } from "./times.js";
import { number, say, t } from "./words.js";

const ROW = 16;
const SHOWN = 4096;

export default class Rejected {
  element = h("article", {});

  constructor({ id }) { this.id = id; }

  async show() {
    const message = await get(`/v1/rejected/${encodeURIComponent(this.id)}`);
    const bytes = Uint8Array.from(atob(message.payload_base64), (letter) => letter.charCodeAt(0));
    const { sentence, lang } = wrong(message);
    const remedy = toDo(message);
    const command = `citygauge rejected replay ${message.id}`;
    const facts = [
      [t("quality.came"), h("span", {}, stamp(message.received_at, "UTC"), h("span", { class: "soft" }, ` · ${utc(message.received_at)}`))],
      [t("quality.topic"), h("code", {}, message.topic)],
      [t("quality.sensor"), message.sensor_id ? h("a", { href: address("sensor", message.sensor_id) }, message.sensor_id) : "–"],
      [t("quality.readings"), number(message.readings)],
      [t("quality.bytes"), message.whole ? number(message.payload_bytes) : t("quality.cut", { kept: bytes.length, count: message.payload_bytes })],
      [t("quality.state"), message.changed_by ? t("quality.by", { state: t(`quality.state_${message.state}`), name: message.changed_by }) : t(`quality.state_${message.state}`)],
    ];
    this.element.replaceChildren(
      h("a", { class: "back always quiet", href: address("quality", "", { tab: "rejected" }) }, icon("back", 20), t("quality.all_rejected")),
      h("section", { class: "panel" },
        h("div", {}, h("p", { class: "soft small" }, t("quality.message", { id: String(message.id) })), h("h1", { tabIndex: -1 }, say("reasons", message.reason))),
        h("p", { class: "lead", lang }, sentence),
        h("p", {}, h("b", {}, t("quality.what_to_do")), h("span", { lang: remedy.lang }, ` ${remedy.text}.`)),
        h("dl", { class: "facts" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))))),
      h("section", { class: "panel" }, h("h2", {}, t("quality.again")), h("p", { class: "soft" }, message.whole ? t("quality.again_how") : t("quality.again_not")),
        me.may && message.state === "new" ? h("div", { class: "acts" }, ["replay", "discard"].filter((name) => message.whole || name === "discard").map((name) => h("button", { type: "button", onclick: () =>
          act(name, { ids: [message.id] }, t("quality.message", { id: String(message.id) }), (sentence) => this.#told(sentence)) }, t(`rejections.${name}`)))) : null,
        h("p", { class: "verdict", role: "status" }, this.told ?? ""),
        message.whole ? h("details", {}, h("summary", {}, t("rejections.command")), h("div", { class: "command" }, h("pre", { tabIndex: 0 }, h("code", {}, command)))) : null),
      h("section", { class: "panel" }, h("h2", {}, t("quality.as_text")),
        message.payload_text === null ? h("p", { class: "soft" }, t("quality.no_text")) : h("pre", { class: "raw", tabIndex: 0 }, message.payload_text.slice(0, SHOWN * 4))),
      h("section", { class: "panel" }, h("h2", {}, t("quality.as_bytes")), h("pre", { class: "raw", tabIndex: 0 }, dump(bytes)),
        bytes.length > SHOWN ? h("p", { class: "soft small" }, t("quality.first_bytes", { shown: SHOWN, count: bytes.length })) : null));
  }

  // What came of it stands beside the message as it is now: stored, or still rejected for today's reason.
  async #told(sentence) {
    this.told = sentence;
    try { await this.show(); } catch { /* the message is gone: what was told stays */ }
    this.element.querySelector("[role=status]").textContent = sentence;
  }
}

function dump(bytes) {
  const lines = [];
  for (let at = 0; at < Math.min(bytes.length, SHOWN); at += ROW) {
    const row = [...bytes.slice(at, at + ROW)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${hex.padEnd(ROW * 3 - 1)}  ${row.map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : "·")).join("")}`);
  }
  return lines.join("\n");
}
