// The part of a view that shows a chart: what to show, which time, chart or table, and what went wrong.

import { h } from "./dom.js";
import { series } from "./series.js";
import { figure } from "./chart.js";
import { say, t } from "./words.js";

// extras: what is drawn beside the readings; band: the same of what takes a question of its own, and comes a moment later.
export function panel(sensor, { metrics, metric, ranges, extras = () => ({}), band = async () => null }) {
  const shown = h("div", {}, h("div", { class: "ghost plot" }));
  const asTable = h("button", { type: "button", class: "quiet", "aria-pressed": "false" }, t("chart.as_table"));
  const what = h("select", { "aria-label": t("chart.what") }, metrics.map((name) => h("option", { value: name, selected: name === metric }, say("metrics", name))));
  const when = h("select", { "aria-label": t("chart.when") }, ranges.map(([label], i) => h("option", { value: String(i) }, label)));
  const title = h("h3", {}, say("metrics", metric));
  let current = null;
  let request = null;

  async function load() {
    request?.abort();
    request = new AbortController();
    const { signal } = request;
    const [, range] = ranges[Number(when.value)];
    const [start, end] = range();
    title.textContent = say("metrics", what.value);
    shown.setAttribute("aria-busy", "true");
    try {
      const found = await series(sensor, what.value, start, end, signal);
      const paint = (usual) => {
        current?.destroy();
        current = figure(found, { zone: sensor.time_zone, ...extras(found), band: usual });
        draw();
      };
      paint(null);
      const usual = await band(found, start, end, signal);
      if (usual && !signal.aborted) paint(usual);
    } catch (problem) {
      if (problem.name === "AbortError") return;
      shown.replaceChildren(h("div", { class: "note" }, problem.message, h("div", {}, h("button", { type: "button", onclick: load }, t("states_page.retry")))));
    } finally {
      shown.removeAttribute("aria-busy");
    }
  }

  function draw() {
    const table = asTable.getAttribute("aria-pressed") === "true";
    asTable.textContent = table ? t("chart.as_chart") : t("chart.as_table");
    shown.replaceChildren(table ? current.table() : current.element);
  }

  asTable.addEventListener("click", () => {
    asTable.setAttribute("aria-pressed", String(asTable.getAttribute("aria-pressed") !== "true"));
    if (current) draw();
  });
  what.addEventListener("change", load);
  when.addEventListener("change", load);
  load();
  return {
    element: h("section", { class: "figure", "aria-label": t("chart.readings") },
      h("div", { class: "figure-head" }, title, h("div", { class: "figure-tools" }, metrics.length > 1 ? what : null, ranges.length > 1 ? when : null, asTable)), shown),
    reload: load,
    destroy() { request?.abort(); current?.destroy(); },
  };
}
