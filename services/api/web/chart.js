// Draws one series with its limit and the moments that matter, and the same as a table.

import { h } from "./dom.js";
import { clock, stamp } from "./times.js";
import { METRICS, UNITS, WORDS, amount, number, say } from "./words.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const MARKS = { began: ["--warning", [], "Began"], told: ["--critical", [6, 4], "Alert given"], ended: ["--good", [], "Back to normal"] };
const TABLE_ROWS = 1000;

export function figure(series, { zone, limit = null, usual = null, marks = {} }) {
  const filled = series.values.filter((value) => value !== null);
  const holder = h("div", { class: "plot" });
  if (!filled.length) {
    holder.append(h("p", { class: "note" }, WORDS.noData));
    return { element: holder, table: () => h("p", { class: "note" }, WORDS.noData), destroy() {} };
  }
  const name = say(METRICS, series.metric);
  const readout = h("li", { class: "readout", "aria-hidden": "true" });
  const key = h("ul", { class: "key" },
    h("li", {}, h("i"), `${name}, ${say(UNITS, series.unit)}${series.derived ? ", worked out from the meter reading" : ""}`),
    limit === null ? null : h("li", { class: "k-limit" }, h("i"), `Limit ${amount(limit, series.unit)}`),
    usual === null ? null : h("li", { class: "k-usual" }, h("i"), `Usual ${amount(usual, series.unit)}`),
    Object.keys(marks).map((mark) => h("li", { class: `k-${mark}` }, h("i"), MARKS[mark][2])),
    readout);
  const low = Math.min(...filled);
  const high = Math.max(...filled);
  holder.setAttribute("role", "img");
  holder.setAttribute("aria-label", `${name} from ${number(low)} to ${number(high)} ${say(UNITS, series.unit)}, ${filled.length} values. The same is there as a table.`);
  const wrap = h("div", { class: "figure" }, holder, key);
  let plot = null;
  const draw = () => {
    plot?.destroy();
    plot = make(series, { zone, limit, usual, marks, holder, readout, low, high });
  };
  const watcher = new ResizeObserver(([entry]) => {
    const width = Math.floor(entry.contentRect.width);
    if (!width) return;
    if (!plot) draw();
    else if (plot.width !== width) plot.setSize({ width, height: height(width) });
  });
  watcher.observe(holder);
  dark.addEventListener("change", draw);
  return {
    element: wrap,
    table: () => table(series, zone, name),
    destroy() { watcher.disconnect(); dark.removeEventListener("change", draw); plot?.destroy(); },
  };
}

const height = (width) => (width < 480 ? 240 : 300);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function make(series, { zone, limit, usual, marks, holder, readout, low, high }) {
  const width = Math.floor(holder.clientWidth);
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: colour("--soft"), font, grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  const bounds = [low, high, limit, usual].filter((value) => value !== null);
  const top = Math.max(...bounds);
  const floor = Math.min(...bounds);
  const room = (top - floor || Math.abs(top) || 1) * 0.08;
  const line = colour("--accent");
  return new window.uPlot({
    width, height: height(width), tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), zone),
    legend: { show: false }, padding: [12, 14, 0, 0],
    cursor: { y: false, points: { size: 8, fill: line }, drag: { x: true, y: false } },
    scales: { y: { range: () => [floor >= 0 && floor - room < (top - floor) * 0.5 ? Math.min(0, floor) : floor - room, top + room] } },
    axes: [
      { ...axis, grid: { show: false }, space: 70, size: 44,
        values: (_, splits, __, ___, step) => splits.map((at, i) => label(at, zone, step, i === 0 ? null : splits[i - 1])) },
      { ...axis, size: 58, space: 44, values: (_, splits) => splits.map((value) => number(value)) },
    ],
    series: [{}, { stroke: line, width: 2, spanGaps: false, points: { show: series.values.length < 60, size: 5, fill: line } }],
    hooks: {
      draw: [(plot) => {
        const { ctx, bbox } = plot;
        ctx.save();
        const across = (value, tone, dash) => {
          const y = Math.round(plot.valToPos(value, "y", true));
          stroke(ctx, tone, dash, bbox.left, y, bbox.left + bbox.width, y);
        };
        if (usual !== null) across(usual, "--soft", [2, 4]);
        if (limit !== null) across(limit, "--critical", [8, 5]);
        for (const [mark, at] of Object.entries(marks)) {
          const x = Math.round(plot.valToPos(at, "x", true));
          if (x >= bbox.left && x <= bbox.left + bbox.width) stroke(ctx, MARKS[mark][0], MARKS[mark][1], x, bbox.top, x, bbox.top + bbox.height);
        }
        ctx.restore();
      }],
      setCursor: [(plot) => {
        const at = plot.cursor.idx;
        const value = at === null || at === undefined ? null : series.values[at];
        readout.textContent = value === null || value === undefined ? "" : `${clock(series.times[at] * 1000, zone)}: ${amount(value, series.unit)}`;
      }],
    },
  }, [series.times, series.values], holder);
}

function stroke(ctx, tone, dash, ...[x1, y1, x2, y2]) {
  const ratio = devicePixelRatio || 1;
  ctx.strokeStyle = colour(tone);
  ctx.lineWidth = 2 * ratio;
  ctx.setLineDash(dash.map((part) => part * ratio));
  ctx.beginPath();
  ctx.moveTo(x1, y1);
  ctx.lineTo(x2, y2);
  ctx.stroke();
}

function label(seconds, zone, step, before) {
  const date = new Date(seconds * 1000);
  const day = (moment) => new Intl.DateTimeFormat(undefined, { timeZone: zone, day: "numeric", month: "short" }).format(moment);
  const hour = new Intl.DateTimeFormat(undefined, { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(date);
  if (step >= 86400) return day(date);
  return before === null || day(new Date(before * 1000)) !== day(date) ? `${hour}\n${day(date)}` : hour;
}

function table(series, zone, name) {
  const rows = series.times.map((time, i) => [time, series.values[i]]).filter(([, value]) => value !== null);
  const shown = rows.slice(-TABLE_ROWS).reverse();
  return h("div", { class: "table-wrap", tabIndex: 0, role: "region", "aria-label": "Readings as a table" },
    h("table", {},
      h("caption", {}, rows.length > shown.length ? `The newest ${shown.length} of ${rows.length} values` : `${rows.length} values`, `, times in ${zone}`),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Time"), h("th", { scope: "col" }, `${name}, ${say(UNITS, series.unit)}`))),
      h("tbody", {}, shown.map(([time, value]) => h("tr", {}, h("td", {}, stamp(new Date(time * 1000).toISOString(), zone)), h("td", {}, number(value, 6)))))));
}
