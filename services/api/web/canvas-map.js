// Sensors on a Leaflet map without any tile server: clusters on canvas tiles, by state.

import { canvasTiles } from "./canvas-tiles.js";
import { STATES } from "./city.js";
import { scale } from "./dom.js";
import { colour } from "./plot.js";
import { number } from "./words.js";

const FINE = STATES.indexOf("fine");
const RADIUS = 6;
const NEAR_PX = 16;
const MARGIN_PX = 40;

// With what is drawn: for each state the colours of its line and of what is inside, and those of text.
export const look = () => ({
  tones: STATES.map((name) => ({
    line: colour(name === "trouble" ? "--soft" : name === "fine" ? "--accent" : `--${name}`),
    wash: colour(name === "trouble" ? "--sunken" : name === "fine" ? "--accent-wash" : `--${name}-wash`),
  })),
  surface: colour("--surface"), ink: colour("--ink"), family: getComputedStyle(document.body).fontFamily,
});

export class Dots {
  #index = null;
  #look = null; // read once for all tiles

  constructor(map) {
    this.map = map;
    this.layer = canvasTiles(map, "dots", (ctx, tile) => this.#tile(ctx, tile));
  }

  // points: [lon, lat, sensor index, state]; a cluster is in the state of its worst sensor.
  set(points) {
    const ramp = { radius: 52 * scale(), maxZoom: 17, minPoints: 4, map: ({ state }) => ({ state, ill: state < FINE ? 1 : 0 }),
      reduce: (sum, each) => { sum.state = Math.min(sum.state, each.state); sum.ill += each.ill; } };
    this.#index = new window.Supercluster(ramp).load(points.map(([lon, lat, i, state]) => ({ type: "Feature", geometry: { type: "Point", coordinates: [lon, lat] }, properties: { i, state } })));
    this.redraw();
  }

  // Anew, in the colours of now.
  redraw() {
    this.#look = null;
    this.layer.redraw();
  }

  // The cluster or sensor that a click or a pointer means; null where there is none.
  near(latlng) {
    if (!this.#index) return null;
    const size = scale();
    const centre = this.map.latLngToContainerPoint(latlng);
    const corner = (d) => this.map.containerPointToLatLng(centre.add([d, d]));
    const [a, b] = [corner(-30 * size), corner(30 * size)];
    let best = null;
    for (const found of this.#index.getClusters([a.lng, b.lat, b.lng, a.lat], this.map.getZoom())) {
      const [lon, lat] = found.geometry.coordinates;
      const away = this.map.latLngToContainerPoint([lat, lon]).distanceTo(centre);
      if (away <= Math.max(NEAR_PX, radiusOf(found.properties)) * size && away < (best?.away ?? Infinity)) best = { away, lon, lat, ...found.properties };
    }
    return best;
  }

  expansion(cluster) { return Math.min(18, this.#index.getClusterExpansionZoom(cluster)); }
  members(cluster, limit) { return this.#index.getLeaves(cluster, limit).map((leaf) => leaf.properties.i); }

  #tile(ctx, { z, left, top, side, size }) {
    if (!this.#index) return;
    const mine = (this.#look ??= look());
    const margin = MARGIN_PX * size;
    const nw = this.map.unproject([left - margin, top - margin], z);
    const se = this.map.unproject([left + side + margin, top + side + margin], z);
    const found = this.#index.getClusters([nw.lng, se.lat, se.lng, nw.lat], z).sort((a, b) => b.properties.state - a.properties.state);
    for (const { geometry, properties } of found) {
      const point = this.map.project([geometry.coordinates[1], geometry.coordinates[0]], z);
      const [x, y] = [point.x - left, point.y - top];
      if (properties.cluster) cluster(ctx, x, y, properties, mine, size);
      else symbol(ctx, x, y, properties.state, mine.tones[properties.state], mine.surface, size);
    }
  }
}

const radiusOf = ({ cluster: isCluster, point_count: count = 1 }) => (isCluster ? 13 + Math.min(15, Math.log2(count) * 1.6) : RADIUS);

export function cluster(ctx, x, y, properties, { tones, ink, family }, size) {
  const { line, wash } = tones[properties.state];
  ctx.beginPath();
  ctx.arc(x, y, radiusOf(properties) * size, 0, 2 * Math.PI);
  ctx.fillStyle = wash;
  ctx.fill();
  ctx.lineWidth = (properties.ill ? 3 : 1.5) * size;
  ctx.strokeStyle = line;
  ctx.stroke();
  ctx.fillStyle = ink;
  ctx.font = `600 ${12 * size}px ${family}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  const count = properties.point_count;
  ctx.fillText(properties.words ?? (count >= 10000 ? `${number(Math.round(count / 1000))}k` : String(count)), x, y + 0.5);
}

// A shape for each state, so that no state is told by its colour alone: octagon, triangle, square, cross, dot.
export function symbol(ctx, x, y, state, { line }, surface, size = 1) {
  ctx.beginPath();
  const name = STATES[state];
  const polygon = (corners, radius, turn) => {
    for (let k = 0; k < corners; k += 1) ctx.lineTo(x + radius * Math.cos(turn + (k * 2 * Math.PI) / corners), y + radius * Math.sin(turn + (k * 2 * Math.PI) / corners));
    ctx.closePath();
  };
  if (name === "critical") polygon(8, 9 * size, Math.PI / 8);
  else if (name === "warning") polygon(3, 9.5 * size, -Math.PI / 2);
  else if (name === "info") polygon(4, 8 * size, Math.PI / 4);
  else ctx.arc(x, y, (name === "fine" ? 5 : 7) * size, 0, 2 * Math.PI);
  ctx.fillStyle = name === "trouble" ? surface : line;
  ctx.fill();
  ctx.lineWidth = name === "trouble" ? 2.5 : 1.5;
  ctx.strokeStyle = name === "trouble" ? line : surface;
  ctx.stroke();
  if (name !== "trouble") return;
  ctx.beginPath();
  for (const d of [-1, 1]) { ctx.moveTo(x - 3 * size, y - 3 * d * size); ctx.lineTo(x + 3 * size, y + 3 * d * size); }
  ctx.stroke();
}
