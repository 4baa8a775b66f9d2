// One series with its limit, its usual band and the moments that matter, and the same as a table.

import { h } from "./dom.js";
import { drawing, height } from "./plot.js";
import { clock, stamp, zoneOf } from "./times.js";
import { factor, unitShown } from "./units.js";
import { number, say, t } from "./words.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const TABLE_ROWS = 1000;
const MARKS = { began: "chart.began", told: "chart.told", ended: "chart.ended" };

// series: {metric, unit, times (s), values, derived}; extras: limit, usual (in series.unit), marks (s), band, beside, alerts, range, fromZero, onZoom.
export function figure(series, { zone, limit = null, usual = null, marks = {}, band = null, beside = null, alerts = [], range = null, daily = false, fromZero = false, onZoom = null }) {
  const scale = factor(series.unit);
  const unit = say("units", unitShown(series.unit));
  const mine = (values) => values.map((value) => (value === null ? null : value * scale));
  const what = {
    times: series.times, values: mine(series.values), marks, alerts, range, daily,
    limit: limit === null ? null : limit * scale, usual: usual === null ? null : usual * scale,
    band: band && { times: band.times, low: mine(band.low), high: mine(band.high) },
    beside: beside && { times: beside.times, values: mine(beside.values) },
  };
  const filled = what.values.filter((value) => value !== null);
  const holder = h("div", { class: "plot" });
  const name = say("metrics", series.metric);
  if (!filled.length) {
    holder.append(h("p", { class: "note" }, t("chart.none")));
    return { element: holder, table: () => h("p", { class: "note" }, t("chart.none")), look() {}, destroy() {} };
  }
  const readout = h("li", { class: "readout", "aria-hidden": "true" });
  const key = h("ul", { class: "key" },
    h("li", {}, h("i"), `${name}, ${unit}${series.derived ? `, ${t("chart.derived")}` : ""}`),
    band ? h("li", { class: "k-band" }, h("i"), t("chart.band")) : null,
    beside ? h("li", { class: "k-beside" }, h("i"), beside.words ?? t("chart.beside")) : null,
    limit === null ? null : h("li", { class: "k-limit" }, h("i"), t("chart.limit", { amount: `${number(what.limit)} ${unit}` })),
    usual === null ? null : h("li", { class: "k-usual" }, h("i"), t("chart.usual", { amount: `${number(what.usual, 3)} ${unit}` })),
    Object.keys(marks).map((mark) => h("li", { class: `k-${mark}` }, h("i"), t(MARKS[mark]))),
    alerts.length ? h("li", { class: `k-alert ${worst(alerts)}` }, h("i"), t("chart.alerts")) : null,
    readout);
  what.low = least(fromZero ? [0, ...filled] : filled, [what.band?.low, what.beside?.values]);
  what.high = -least(filled.map((value) => -value), [what.band?.high, what.beside?.values].map((values) => values?.map((value) => (value === null ? null : -value))));
  holder.setAttribute("role", "img");
  holder.setAttribute("aria-label", t("chart.label", { metric: name, low: number(extreme(filled, Math.min)), high: number(extreme(filled, Math.max)), unit, count: filled.length }));
  let plot = null;
  const onPoint = (at, data) => {
    const value = at === null ? null : data[1][at];
    readout.textContent = value === null || value === undefined ? "" : `${clock(data[0][at] * 1000, zone)}: ${number(value)} ${unit}`;
  };
  const draw = () => { plot?.destroy(); plot = drawing(what, { zone, holder, onPoint, onZoom }); };
  const watcher = new ResizeObserver(([entry]) => {
    const width = Math.floor(entry.contentRect.width);
    if (!width) return;
    if (!plot) draw();
    else if (plot.width !== width) plot.setSize({ width, height: height(width) });
  });
  watcher.observe(holder);
  dark.addEventListener("change", draw);
  return {
    element: h("div", { class: "figure" }, holder, key),
    table: () => table(what, zone, `${name}, ${unit}`),
    // The same values over another time (s): what a finer answer will replace.
    look(from, to) {
      what.range = [from, to];
      plot?.setScale("x", { min: from, max: to });
    },
    destroy() { watcher.disconnect(); dark.removeEventListener("change", draw); plot?.destroy(); },
  };
}

const worst = (alerts) => ["critical", "warning"].find((name) => alerts.some(({ severity }) => severity === name)) ?? "info";
const extreme = (values, choose) => values.reduce((found, value) => choose(found, value));
const least = (values, others) => others.reduce((low, each) => (each ?? []).reduce((found, value) => (value === null ? found : Math.min(found, value)), low), extreme(values, Math.min));

function table({ times, values }, zone, heading) {
  const rows = times.map((time, i) => [time, values[i]]).filter(([, value]) => value !== null);
  const shown = rows.slice(-TABLE_ROWS).reverse();
  const about = { count: rows.length, shown: shown.length, zone: zoneOf(zone) };
  return h("div", { class: "table-wrap", tabIndex: 0, role: "region", "aria-label": t("chart.table") },
    h("table", {},
      h("caption", {}, rows.length > shown.length ? t("chart.newest", about) : t("chart.rows", about)),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("chart.time")), h("th", { scope: "col" }, heading))),
      h("tbody", {}, shown.map(([time, value]) => h("tr", {}, h("td", {}, stamp(new Date(time * 1000).toISOString(), zone)), h("td", {}, number(value, 6)))))));
}
