// Speeds of a road by time and distance as a picture: slow is told by colour and by number; alerts are marked in it.

import { h } from "./dom.js";
import { colour } from "./plot.js";
import { clock, format, zoneOf } from "./times.js";
import { factor, unitShown } from "./units.js";
import { number, say, t } from "./words.js";

export const STEPS = [20, 40, 60, 80, 100]; // km/h; six colours
const LEFT = 64;
const BOTTOM = 30;
const ROW = 26;
const MARK = { incident: "--critical", congestion: "--warning" };

const step = (speed) => STEPS.filter((each) => speed >= each).length;

// grid: {times (ms), positions_m, names, speeds[station][time], alerts: [{i, from, to, rule}]}; bottlenecks: [{up, at}].
export function contour(grid, zone) {
  const holder = h("div", { class: "contour", role: "img", "aria-label": t("corridor.picture", { count: grid.names.length }) });
  const readout = h("p", { class: "soft small num", role: "status" }, t("corridor.hover"));
  const canvas = h("canvas", {});
  holder.append(canvas);
  const rows = grid.names.length;
  const height = rows * ROW + BOTTOM;
  let width = 0;
  const x = (ms) => LEFT + ((ms - grid.times[0]) / (grid.times.at(-1) + grid.step - grid.times[0])) * (width - LEFT);
  const draw = () => {
    const ratio = devicePixelRatio || 1;
    width = holder.clientWidth;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    canvas.style.height = `${height}px`;
    const ctx = canvas.getContext("2d");
    ctx.scale(ratio, ratio);
    const tones = [...STEPS, 0].map((_, i) => colour(`--speed-${i}`));
    grid.speeds.forEach((speeds, i) => speeds.forEach((speed, k) => {
      ctx.fillStyle = speed === null ? colour("--sunken") : tones[step(speed)];
      const left = x(grid.times[k]);
      ctx.fillRect(left, (rows - 1 - i) * ROW, x(grid.times[k] + grid.step) - left + 0.6, ROW + 0.5);
    }));
    ctx.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    ctx.fillStyle = colour("--soft");
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    const every = Math.ceil(rows / Math.max(1, Math.floor((rows * ROW) / 18)));
    grid.positions_m.forEach((position, i) => { if (i % every === 0) ctx.fillText(position === null ? grid.names[i] : `${number((position / 1000) * factor("km"))} ${unitShown("km")}`, LEFT - 8, (rows - 0.5 - i) * ROW); });
    ticks(ctx, x, height - BOTTOM, zone, grid, width);
    for (const { i, from, to, rule } of grid.alerts) {
      const [left, right] = [Math.max(LEFT, x(from)), Math.min(width - 1, x(to))];
      if (right <= LEFT || left >= width) continue;
      ctx.strokeStyle = colour("--surface");
      ctx.lineWidth = 3.5;
      const box = [left, (rows - 1 - i) * ROW + 3, Math.max(right - left, 4), ROW - 6];
      ctx.strokeRect(...box);
      ctx.strokeStyle = colour(MARK[rule] ?? "--info");
      ctx.lineWidth = 1.75;
      ctx.setLineDash(rule === "incident" ? [] : [5, 3]);
      ctx.strokeRect(...box);
      ctx.setLineDash([]);
    }
  };
  const watcher = new ResizeObserver(draw);
  watcher.observe(holder);
  canvas.addEventListener("pointermove", ({ offsetX, offsetY }) => {
    const k = Math.floor(((offsetX - LEFT) / (width - LEFT)) * grid.times.length);
    const i = rows - 1 - Math.floor(offsetY / ROW);
    const speed = grid.speeds[i]?.[k];
    if (speed === undefined) return;
    readout.textContent = `${grid.names[i]}, ${clock(grid.times[k], zone)}: ${speed === null ? t("corridor.no_reading") : `${number(speed * factor("km/h"), 3)} ${unitShown("km/h")}`}`;
  });
  return { element: h("div", { class: "figure" }, key(), holder, readout), redraw: draw, destroy: () => watcher.disconnect() };
}

function ticks(ctx, x, y, zone, grid, width) {
  const at = zoneOf(zone);
  const hour = format(at, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const day = format(at, { day: "numeric", month: "short" });
  const long = grid.times.at(-1) - grid.times[0] > 2 * 86400e3;
  ctx.textAlign = "center";
  let last = -Infinity;
  let before = "";
  for (const ms of grid.times) {
    const text = long ? day.format(ms) : hour.format(ms);
    const place = x(ms);
    if (text === before || place - last < 64 || place > width - 24 || (long ? false : !text.endsWith(":00"))) continue;
    ctx.fillText(text, Math.max(place, 88), y + 15);
    last = place;
    before = text;
  }
}

function key() {
  const shown = (speed) => number(speed * factor("km/h"), 3);
  const words = [t("corridor.under", { speed: shown(STEPS[0]) }), ...STEPS.slice(1).map((each, i) => `${shown(STEPS[i])}–${shown(each)}`), t("corridor.over", { speed: shown(STEPS.at(-1)) })];
  return h("ul", { class: "heat-key" }, words.map((text, i) => h("li", {}, h("i", { class: `s${i}` }), text)), h("li", {}, say("units", unitShown("km/h"))),
    h("li", {}, h("i", { class: "m-incident" }), say("rules", "incident")), h("li", {}, h("i", { class: "m-congestion" }), say("rules", "congestion")));
}
