// Layers of canvas tiles for a Leaflet map. Tiles that come into view are drawn a few a frame, whatever their layer, so
// that a map which is dragged stays under the hand.

import { scale } from "./dom.js";

const SLICE_MS = 6; // of a frame's 16
let waiting = []; // [canvas, draw]
let due = 0;

// As many waiting tiles as a slice of this frame takes, one at least; the others in the next frames.
function some() {
  const until = performance.now() + SLICE_MS;
  do waiting.shift()?.[1]();
  while (waiting.length && performance.now() < until);
  due = waiting.length ? requestAnimationFrame(some) : 0;
}

// draw(ctx, {z, left, top, side, size}): a tile's zoom, its corner and side in pixels of that zoom, and how large things are drawn.
export function canvasTiles(map, pane, draw) {
  const Layer = window.L.GridLayer.extend({
    createTile(at, done) {
      const canvas = window.L.DomUtil.create("canvas", "leaflet-tile");
      waiting.push([canvas, () => {
        const { x: side } = this.getTileSize();
        const ratio = devicePixelRatio || 1;
        canvas.width = canvas.height = side * ratio;
        const ctx = canvas.getContext("2d");
        ctx.scale(ratio, ratio);
        draw(ctx, { z: at.z, left: at.x * side, top: at.y * side, side, size: scale() });
        done(null, canvas);
      }]);
      due ||= requestAnimationFrame(some);
      return canvas;
    },
  });
  const layer = new Layer({ updateWhenIdle: false, keepBuffer: 1, pane });
  layer.on("tileunload", ({ tile }) => { waiting = waiting.filter(([canvas]) => canvas !== tile); });
  return layer.addTo(map);
}
