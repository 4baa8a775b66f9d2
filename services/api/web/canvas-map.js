// Draws sensors, roads and zones on a Leaflet map without any tile server: clusters on canvas tiles, by state.

import { STATES } from "./city.js";
import { colour } from "./plot.js";
import { number } from "./words.js";

const FINE = STATES.indexOf("fine");
const RADIUS = 6;
const NEAR_PX = 16;

export class Dots {
  #index = null;

  constructor(map) {
    this.map = map;
    const draw = (canvas, at) => this.#tile(canvas, at);
    const Layer = window.L.GridLayer.extend({
      createTile(at) {
        const canvas = window.L.DomUtil.create("canvas", "leaflet-tile");
        draw(canvas, at);
        return canvas;
      },
    });
    this.layer = new Layer({ updateWhenIdle: false, keepBuffer: 1, pane: "dots" }).addTo(map);
  }

  // points: [lon, lat, sensor index, state]; a cluster is in the state of its worst sensor.
  set(points) {
    const ramp = { radius: 52, maxZoom: 17, minPoints: 4, map: ({ state }) => ({ state, ill: state < FINE ? 1 : 0 }),
      reduce: (sum, each) => { sum.state = Math.min(sum.state, each.state); sum.ill += each.ill; } };
    this.#index = new window.Supercluster(ramp).load(points.map(([lon, lat, i, state]) => ({ type: "Feature", geometry: { type: "Point", coordinates: [lon, lat] }, properties: { i, state } })));
    this.layer.redraw();
  }

  // The cluster or sensor that a click or a pointer means; null where there is none.
  near(latlng) {
    if (!this.#index) return null;
    const centre = this.map.latLngToContainerPoint(latlng);
    const corner = (d) => this.map.containerPointToLatLng(centre.add([d, d]));
    const [a, b] = [corner(-30), corner(30)];
    let best = null;
    for (const found of this.#index.getClusters([a.lng, b.lat, b.lng, a.lat], this.map.getZoom())) {
      const [lon, lat] = found.geometry.coordinates;
      const away = this.map.latLngToContainerPoint([lat, lon]).distanceTo(centre);
      if (away <= Math.max(NEAR_PX, size(found.properties)) && away < (best?.away ?? Infinity)) best = { away, lon, lat, ...found.properties };
    }
    return best;
  }

  expansion(cluster) { return Math.min(18, this.#index.getClusterExpansionZoom(cluster)); }
  members(cluster, limit) { return this.#index.getLeaves(cluster, limit).map((leaf) => leaf.properties.i); }

  #tile(canvas, at) {
    const px = this.layer?.getTileSize?.() ?? { x: 256, y: 256 };
    const ratio = devicePixelRatio || 1;
    canvas.width = px.x * ratio;
    canvas.height = px.y * ratio;
    if (!this.#index) return;
    const ctx = canvas.getContext("2d");
    ctx.scale(ratio, ratio);
    const corner = (x, y) => this.map.unproject([x, y], at.z);
    const margin = 40;
    const [left, top] = [at.x * px.x, at.y * px.y];
    const nw = corner(left - margin, top - margin);
    const se = corner(left + px.x + margin, top + px.y + margin);
    const tones = STATES.map((name) => ({ line: colour(name === "trouble" ? "--soft" : name === "fine" ? "--accent" : `--${name}`), wash: colour(name === "trouble" ? "--sunken" : name === "fine" ? "--accent-wash" : `--${name}-wash`) }));
    const surface = colour("--surface");
    const found = this.#index.getClusters([nw.lng, se.lat, se.lng, nw.lat], at.z).sort((a, b) => b.properties.state - a.properties.state);
    for (const { geometry, properties } of found) {
      const point = this.map.project([geometry.coordinates[1], geometry.coordinates[0]], at.z);
      const [x, y] = [point.x - left, point.y - top];
      if (properties.cluster) cluster(ctx, x, y, properties, tones[properties.state]);
      else symbol(ctx, x, y, properties.state, tones[properties.state], surface);
    }
  }
}

const size = ({ cluster: isCluster, point_count: count = 1 }) => (isCluster ? 13 + Math.min(15, Math.log2(count) * 1.6) : RADIUS);

function cluster(ctx, x, y, properties, { line, wash }) {
  const radius = size(properties);
  ctx.beginPath();
  ctx.arc(x, y, radius, 0, 2 * Math.PI);
  ctx.fillStyle = wash;
  ctx.fill();
  ctx.lineWidth = properties.ill ? 3 : 1.5;
  ctx.strokeStyle = line;
  ctx.stroke();
  ctx.fillStyle = colour("--ink");
  ctx.font = `600 12px ${getComputedStyle(document.body).fontFamily}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  const count = properties.point_count;
  ctx.fillText(count >= 10000 ? `${number(Math.round(count / 1000))}k` : String(count), x, y + 0.5);
}

// A shape for each state, so that no state is told by its colour alone: octagon, triangle, square, cross, dot.
export function symbol(ctx, x, y, state, { line }, surface, scale = 1) {
  ctx.beginPath();
  const name = STATES[state];
  const polygon = (corners, radius, turn) => {
    for (let k = 0; k < corners; k += 1) ctx.lineTo(x + radius * Math.cos(turn + (k * 2 * Math.PI) / corners), y + radius * Math.sin(turn + (k * 2 * Math.PI) / corners));
    ctx.closePath();
  };
  if (name === "critical") polygon(8, 9 * scale, Math.PI / 8);
  else if (name === "warning") polygon(3, 9.5 * scale, -Math.PI / 2);
  else if (name === "info") polygon(4, 8 * scale, Math.PI / 4);
  else ctx.arc(x, y, (name === "fine" ? 5 : 7) * scale, 0, 2 * Math.PI);
  ctx.fillStyle = name === "trouble" ? surface : line;
  ctx.fill();
  ctx.lineWidth = name === "trouble" ? 2.5 : 1.5;
  ctx.strokeStyle = name === "trouble" ? line : surface;
  ctx.stroke();
  if (name !== "trouble") return;
  ctx.beginPath();
  for (const d of [-1, 1]) { ctx.moveTo(x - 3 * scale, y - 3 * d * scale); ctx.lineTo(x + 3 * scale, y + 3 * d * scale); }
  ctx.stroke();
}
