// A line of an alert's readings, small: what was measured, its limit, and since when. Drawn when the card comes into view.

import { h, scale } from "./dom.js";
import { colour } from "./plot.js";
import { comparable, series } from "./series.js";
import { number, say, t } from "./words.js";
import { factor, unitShown } from "./units.js";

const POINTS = 90;
const AT_ONCE = 2;
const HEIGHT = 40; // where the style sheet's rem is 10 pixels
const KEPT = 500;
const found = new Map(); // alert id and version of its figures -> series
const waiting = [];
let busy = 0;
const painters = new WeakMap();
const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) if (isIntersecting) { seen.unobserve(target); painters.get(target)?.(); }
}, { rootMargin: "80px" });

export function sparkline(alert) {
  const { evidence, place } = alert;
  const element = h("div", { class: "spark" });
  if (!place || !evidence?.metric || evidence.metric === "observed_at") return null;
  const key = `${alert.id} ${alert.cleared_at ?? ""}`;
  const ready = found.get(key);
  if (ready) queueMicrotask(() => paint(element, alert, ready));
  else {
    painters.set(element, () => { waiting.push(() => load(key, element, alert)); next(); });
    seen.observe(element);
  }
  return element;
}

function next() {
  while (busy < AT_ONCE && waiting.length) {
    const job = waiting.shift();
    busy += 1;
    job().catch(() => {}).finally(() => { busy -= 1; next(); });
  }
}

async function load(key, element, alert) {
  if (!element.isConnected) return;
  const began = Date.parse(alert.started_at);
  const until = Date.parse(alert.cleared_at ?? alert.updated_at);
  const pad = Math.max(3 * 3600e3, until - began, (alert.evidence.window_s ?? 0) * 1000);
  const got = await series({ id: alert.subject, cadence_s: null }, alert.evidence.metric, began - pad, until + 60e3, undefined, POINTS);
  if (found.size > KEPT) found.delete(found.keys().next().value);
  found.set(key, got);
  paint(element, alert, got);
}

function paint(element, alert, { metric, times, values, unit }) {
  const known = values.filter((value) => value !== null);
  if (known.length < 2) { element.remove(); return; }
  const { evidence } = alert;
  const height = HEIGHT * scale();
  const width = element.clientWidth || 300;
  const ratio = devicePixelRatio || 1;
  const [limit, usual] = comparable({ metric, unit }, evidence) ? [evidence.threshold, evidence.baseline] : [null, null];
  const all = [...known, limit, usual].filter((value) => value !== null && value !== undefined);
  const [low, high] = [all.reduce((a, b) => Math.min(a, b)), all.reduce((a, b) => Math.max(a, b))];
  const x = (time) => 1 + ((time - times[0]) / (times.at(-1) - times[0] || 1)) * (width - 2);
  const y = (value) => height - 3 - ((value - low) / (high - low || 1)) * (height - 6);
  const canvas = h("canvas", { width: width * ratio, height: height * ratio, role: "img",
    "aria-label": t("now.spark", { metric: say("metrics", evidence.metric), low: number(known.reduce((a, b) => Math.min(a, b)) * factor(unit)), high: number(known.reduce((a, b) => Math.max(a, b)) * factor(unit)), unit: say("units", unitShown(unit)) }) });
  const ctx = canvas.getContext("2d");
  ctx.scale(ratio, ratio);
  const since = x(Date.parse(alert.started_at) / 1000);
  ctx.fillStyle = colour(`--${alert.severity}-wash`);
  ctx.fillRect(since, 0, x(Math.min(times.at(-1), Date.parse(alert.cleared_at ?? alert.updated_at) / 1000)) - since, height);
  const across = (value, tone, dash) => {
    if (value === null || value === undefined) return;
    ctx.setLineDash(dash);
    ctx.strokeStyle = colour(tone);
    ctx.beginPath();
    ctx.moveTo(0, y(value));
    ctx.lineTo(width, y(value));
    ctx.stroke();
  };
  across(usual, "--soft", [1, 3]);
  across(limit, "--critical", [4, 3]);
  ctx.setLineDash([]);
  ctx.lineWidth = 1.5 * scale();
  ctx.lineCap = "round"; // a value alone between two gaps is a dot
  ctx.strokeStyle = colour("--accent");
  ctx.beginPath();
  const points = times.map((time, i) => [time, values[i]]).filter(([, value]) => value !== null);
  const pauses = points.slice(1).map(([time], i) => time - points[i][0]).sort((a, b) => a - b);
  const usualPause = pauses[pauses.length >> 1]; // a sensor may read less often than there is room for points
  points.forEach(([time, value], i) => {
    if (i === 0 || time - points[i - 1][0] > 2.5 * usualPause) ctx.moveTo(x(time), y(value));
    ctx.lineTo(x(time), y(value));
  });
  ctx.stroke();
  element.replaceChildren(canvas);
}
