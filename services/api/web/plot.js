// Draws on a canvas with uPlot: one series, its usual band, another period beside it, lines of limits and of moments.

import { scale } from "./dom.js";
import { format, zoneOf } from "./times.js";
import { number } from "./words.js";

export const TONES = { began: ["--warning", []], told: ["--critical", [6, 4]], ended: ["--good", []] };
const DAYS = [1, 2, 7, 14, 28, 91].map((days) => days * 86400);
export const height = (width) => (width < 480 ? 240 : 300) * scale();
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// What is drawn: {times, values, band, beside, limit, usual, marks, alerts, low, high}; times in s, all values in the unit shown.
export function drawing(what, { zone, holder, onPoint, onZoom }) {
  const width = Math.floor(holder.clientWidth);
  const size = scale();
  const font = `${12 * size}px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: colour("--soft"), font, grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  const line = colour("--accent");
  const { data, series, bands } = layers(what, line);
  return new window.uPlot({
    width, height: height(width), tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), zoneOf(zone)),
    legend: { show: false }, padding: [12, (what.daily ? 30 : 14) * size, 0, 0], bands,
    cursor: { y: false, points: { size: 8, fill: line }, drag: { x: true, y: false, setScale: !onZoom } },
    scales: { x: what.range ? { range: () => what.range } : {}, y: { range: () => bounds(what) } },
    axes: [
      { ...axis, grid: { show: false }, space: 70 * size, size: (what.daily ? 30 : 44) * size, ...(what.daily ? { incrs: DAYS } : {}),
        values: (_, splits, __, ___, step) => splits.map((at, i) => label(at, zone, step, i === 0 ? null : splits[i - 1])) },
      { ...axis, size: (_, values) => Math.max(58, 16 + 7 * Math.max(0, ...(values ?? []).map(({ length }) => length))) * size, space: 44 * size, values: (_, splits) => splits.map((value) => number(value)) },
    ],
    series,
    hooks: {
      drawClear: [(plot) => shade(plot, what.alerts ?? [])],
      draw: [(plot) => rule(plot, what)],
      setCursor: [(plot) => onPoint(plot.cursor.idx ?? null, plot.data)],
      setSelect: [(plot) => {
        if (!onZoom || plot.select.width < 4) return;
        onZoom(plot.posToVal(plot.select.left, "x") * 1000, plot.posToVal(plot.select.left + plot.select.width, "x") * 1000);
      }],
    },
  }, data, holder);
}

function layers({ times, values, band, beside }, line) {
  const tables = [[times, values]];
  const series = [{}, { stroke: line, width: 2 * scale(), spanGaps: false, points: { show: values.length < 60, size: 5 * scale(), fill: line } }];
  const bands = [];
  if (band) {
    tables.push([band.times, band.high, band.low]);
    const edge = { stroke: "transparent", width: 0, points: { show: false } };
    series.push(edge, edge);
    bands.push({ series: [2, 3], fill: colour("--band") });
  }
  if (beside) {
    tables.push([beside.times, beside.values]);
    series.push({ stroke: colour("--soft"), width: 1.5 * scale(), dash: [5, 4], spanGaps: true, points: { show: false } });
  }
  return { data: tables.length > 1 ? window.uPlot.join(tables, tables.map(([, ...rest]) => [0, ...rest.map(() => 2)].slice(1))) : tables[0], series, bands };
}

function bounds({ low, high, limit = null, usual = null }) {
  const all = [low, high, limit, usual].filter((value) => value !== null);
  const top = Math.max(...all);
  const floor = Math.min(...all);
  const room = (top - floor || Math.abs(top) || 1) * 0.08;
  return [floor >= 0 && floor - room < (top - floor) * 0.5 ? Math.min(0, floor) : floor - room, top + room];
}

function shade({ ctx, bbox, valToPos }, alerts) {
  ctx.save();
  for (const { from, to, severity } of alerts) {
    const left = Math.max(bbox.left, valToPos(from, "x", true));
    const right = Math.min(bbox.left + bbox.width, valToPos(to, "x", true));
    if (right < bbox.left || left > bbox.left + bbox.width) continue;
    ctx.fillStyle = colour(`--${severity}-wash`);
    ctx.fillRect(left, bbox.top, Math.max(right - left, 2), bbox.height);
    ctx.fillStyle = colour(`--${severity}`);
    ctx.fillRect(left, bbox.top, Math.max(right - left, 2), 4 * devicePixelRatio);
  }
  ctx.restore();
}

function rule(plot, { limit = null, usual = null, marks = {} }) {
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
    if (x >= bbox.left && x <= bbox.left + bbox.width) stroke(ctx, ...TONES[mark], x, bbox.top, x, bbox.top + bbox.height);
  }
  ctx.restore();
}

function stroke(ctx, tone, dash, ...[x1, y1, x2, y2]) {
  const ratio = (devicePixelRatio || 1) * scale();
  ctx.strokeStyle = colour(tone);
  ctx.lineWidth = 2 * ratio;
  ctx.setLineDash(dash.map((part) => part * ratio));
  ctx.beginPath();
  ctx.moveTo(x1, y1);
  ctx.lineTo(x2, y2);
  ctx.stroke();
}

function label(seconds, zone, step, before) {
  const at = zoneOf(zone);
  const date = new Date(seconds * 1000);
  const day = (moment) => format(at, { day: "numeric", month: "short" }).format(moment);
  if (step >= 365 * 86400) return format(at, { year: "numeric" }).format(date);
  if (step >= 28 * 86400) return format(at, { month: "short", year: "numeric" }).format(date);
  if (step >= 86400) return day(date);
  const hour = format(at, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(date);
  return before === null || day(new Date(before * 1000)) !== day(date) ? `${hour}\n${day(date)}` : hour;
}
