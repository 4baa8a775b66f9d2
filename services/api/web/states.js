// What a page shows while it loads, when it has nothing, when it failed, and at the first start.

import { h, icon } from "./dom.js";
import { now } from "./server-time.js";
import { t } from "./words.js";

export const loading = () => h("div", { class: "loading", role: "status" }, h("span", { class: "unseen" }, t("states_page.loading")), h("div", { class: "ghost" }), h("div", { class: "ghost" }));

export const empty = (title, sentence, ...rest) => h("div", { class: "note" }, h("b", {}, title), sentence, ...rest);

export const failed = (problem, again) => h("div", { class: "note", role: "alert" },
  problem.status === 404 ? `${t("states_page.gone")} ` : problem.status === undefined ? `${t("states_page.failed")} ${problem.message}` : problem.message,
  h("div", {}, h("button", { type: "button", onclick: again }, t("states_page.retry"))));

const SIMULATE = "citygauge simulate city";
const REGISTER = "printf 'id,kind,name,zone\\nM-17,water_meter,14 Mill Street,North\\n' > sensors.csv\ncitygauge sensors import sensors.csv";
const SEND = "mosquitto_pub -t citygauge/v1/water/M-17/reading \\\n  -m '{\"time\":\"NOW\",\"values\":{\"register\":70911},\"units\":{\"register\":\"L\"}}'";

// The first start: three steps from nothing to the first alert.
export function start() {
  const step = (title, how, code) => {
    const copy = h("button", { type: "button", class: "quiet", onclick: async () => {
      try { await navigator.clipboard.writeText(code()); copy.textContent = t("start.copied"); } catch { getSelection().selectAllChildren(shown); }
    } }, t("start.copy"));
    const shown = h("code", {}, code());
    return h("li", {}, h("b", {}, title), h("p", { class: "soft" }, how), h("div", { class: "command" }, h("pre", { tabIndex: 0 }, shown), copy));
  };
  const send = () => SEND.replace("NOW", `${new Date(now()).toISOString().slice(0, 19)}Z`);
  return h("section", { class: "start" }, icon("gauge", 44), h("h2", {}, t("start.title")), h("p", { class: "soft" }, t("start.intro")),
    h("ol", {}, step(t("start.one"), t("start.one_how"), () => SIMULATE), step(t("start.two"), t("start.two_how"), () => REGISTER), step(t("start.three"), t("start.three_how"), send)));
}
