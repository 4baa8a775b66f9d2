// Speeds of a road by time and distance as a picture: slow is told by colour and by number; alerts are marked in it.

import { h, scale } from "./dom.js";
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
  const size = scale();
  const [edge, row] = [LEFT * size, ROW * size];
  const height = rows * row + BOTTOM * size;
  let width = 0;
  const x = (ms) => edge + ((ms - grid.times[0]) / (grid.times.at(-1) + grid.step - grid.times[0])) * (width - edge);
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
      ctx.fillRect(left, (rows - 1 - i) * row, x(grid.times[k] + grid.step) - left + 0.6, row + 0.5);
    }));
    ctx.font = `${12 * size}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.fillStyle = colour("--soft");
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    grid.positions_m.forEach((position, i) => ctx.fillText(position === null ? grid.names[i] : `${number((position / 1000) * factor("km"))} ${unitShown("km")}`, edge - 8 * size, (rows - 0.5 - i) * row));
    ticks(ctx, x, rows * row, zone, grid, width, size);
    for (const rule of ["congestion", "incident"]) {
      const boxes = grid.alerts.filter((alert) => alert.rule === rule).map(({ i, from, to }) => [Math.max(edge, x(from)), Math.min(width, x(to)), i])
        .filter(([left, right]) => right > edge && left < width).map(([left, right, i]) => [left, (rows - 1 - i) * row, Math.max(right - left, 4), row]);
      if (boxes.length) ctx.drawImage(outline(canvas, ratio, boxes, rule), 0, 0, width, height);
    }
  };
  const watcher = new ResizeObserver(draw);
  watcher.observe(holder);
  canvas.addEventListener("pointermove", ({ offsetX, offsetY }) => {
    const k = Math.floor(((offsetX - edge) / (width - edge)) * grid.times.length);
    const i = rows - 1 - Math.floor(offsetY / row);
    const speed = grid.speeds[i]?.[k];
    if (speed === undefined) return;
    readout.textContent = `${grid.names[i]}, ${clock(grid.times[k], zone)}: ${speed === null ? t("corridor.no_reading") : `${number(speed * factor("km/h"), 3)} ${unitShown("km/h")}`}`;
  });
  return { element: h("div", { class: "figure" }, key(), holder, readout), redraw: draw, destroy: () => watcher.disconnect() };
}

// One line around what boxes of one rule cover together: each is drawn, then what lies inside any of them is taken away.
function outline({ width, height }, ratio, boxes, rule) {
  const canvas = h("canvas", { width, height });
  const ctx = canvas.getContext("2d");
  ctx.scale(ratio, ratio);
  for (const [tone, thick, dash] of [["--surface", 6, []], [MARK[rule], 4, rule === "incident" ? [] : [6, 3]]]) {
    ctx.strokeStyle = colour(tone);
    ctx.lineWidth = thick;
    ctx.setLineDash(dash);
    for (const box of boxes) ctx.strokeRect(...box);
  }
  for (const box of boxes) ctx.clearRect(...box);
  return canvas;
}

function ticks(ctx, x, y, zone, grid, width, size) {
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
    if (text === before || place - last < 64 * size || place > width - 24 * size || (long ? false : !text.endsWith(":00"))) continue;
    ctx.fillText(text, Math.max(place, 88 * size), y + 15 * size);
    last = place;
    before = text;
  }
}

function key() {
  const shown = (speed) => number(speed * factor("km/h"), 3);
  const words = [t("corridor.under", { speed: shown(STEPS[0]) }), ...STEPS.slice(1).map((each, i) => `${shown(STEPS[i])}–${shown(each)}`), t("corridor.over", { speed: shown(STEPS.at(-1)) })];
  return h("ul", { class: "heat-key" }, words.map((text, i) => h("li", {}, h("i", { class: `s${i}` }), text)), h("li", {}, say("units", unitShown("km/h"))), h("li", {}, h("i", { class: "unknown" }), t("corridor.no_reading")),
    h("li", {}, h("i", { class: "m-incident" }), say("rules", "incident")), h("li", {}, h("i", { class: "m-congestion" }), say("rules", "congestion")));
}
