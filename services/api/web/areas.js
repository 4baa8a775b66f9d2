// Zones and roads of a map, on canvas tiles beneath the sensors: thousands of them cost a moved map nothing but the tiles
// that come into view. Coordinates are those of the web's Mercator projection, the world being 1 wide.

import { canvasTiles } from "./canvas-tiles.js";
import { colour } from "./plot.js";

const REACH_PX = 5; // how near to a road a pointer means it
const DASHED_PX = 60; // smaller zones have whole lines

const across = (lon) => lon / 360 + 0.5;
const down = (lat) => { const sine = Math.sin((lat * Math.PI) / 180); return 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI); };

export class Areas {
  #shapes = [];

  constructor(map, pane) {
    this.map = map;
    this.layer = canvasTiles(map, pane, (ctx, tile) => this.#tile(ctx, tile));
  }

  // shapes: {points: [[lat, lon], …], closed, …}: a zone's hull where closed, else a road's line.
  set(shapes) {
    this.#shapes = shapes.map((shape) => {
      const line = shape.points.map(([lat, lon]) => [across(lon), down(lat)]);
      const [xs, ys] = [line.map(([x]) => x), line.map(([, y]) => y)];
      return { ...shape, line, west: Math.min(...xs), east: Math.max(...xs), north: Math.min(...ys), south: Math.max(...ys) };
    });
    this.layer.redraw();
  }

  // The road that a pointer means, or the zone that it is in; undefined where there is none.
  at({ lat, lng }) {
    const [x, y] = [across(lng), down(lat)];
    const reach = REACH_PX / (256 * 2 ** this.map.getZoom());
    const near = this.#shapes.filter(({ west, east, north, south }) => x >= west - reach && x <= east + reach && y >= north - reach && y <= south + reach);
    return near.find(({ closed, line }) => !closed && line.some((to, i) => i > 0 && distance([x, y], line[i - 1], to) <= reach)) ?? near.find(({ closed, line }) => closed && inside([x, y], line));
  }

  #tile(ctx, { z, left, top, side, size }) {
    const world = side * 2 ** z;
    const [west, east, north, south] = [left - 8, left + side + 8, top - 8, top + side + 8].map((edge) => edge / world);
    const [zones, dashed, roads] = [new Path2D(), new Path2D(), new Path2D()];
    for (const shape of this.#shapes) {
      if (shape.west > east || shape.east < west || shape.north > south || shape.south < north) continue;
      const path = !shape.closed ? roads : (shape.east - shape.west) * world > DASHED_PX ? dashed : zones;
      shape.line.forEach(([x, y], i) => { if (i) path.lineTo(x * world - left, y * world - top); else path.moveTo(x * world - left, y * world - top); });
      if (shape.closed) path.closePath();
    }
    ctx.strokeStyle = colour("--line-strong");
    ctx.fillStyle = colour("--accent");
    ctx.lineWidth = 1.5 * size;
    for (const [path, dash] of [[zones, []], [dashed, [4, 4]]]) {
      ctx.globalAlpha = 0.06;
      ctx.fill(path);
      ctx.globalAlpha = 1;
      ctx.setLineDash(dash);
      ctx.stroke(path);
    }
    ctx.setLineDash([]);
    ctx.globalAlpha = 0.8;
    ctx.lineWidth = 5 * size;
    ctx.lineJoin = ctx.lineCap = "round";
    ctx.stroke(roads);
  }
}

// Of a point from the stretch between two others.
function distance([x, y], [ax, ay], [bx, by]) {
  const [dx, dy] = [bx - ax, by - ay];
  const along = Math.max(0, Math.min(1, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(x - ax - along * dx, y - ay - along * dy);
}

// Whether a ray to the east leaves the line an odd number of times.
const inside = ([x, y], line) => line.reduce((odd, [ax, ay], i) => {
  const [bx, by] = line[(i + 1) % line.length];
  return (ay > y) !== (by > y) && x < ((bx - ax) * (y - ay)) / (by - ay) + ax ? !odd : odd;
}, false);
