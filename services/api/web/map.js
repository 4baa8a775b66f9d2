// The map: sensors by state, zones and roads, drawn without any tile server; beside it the same as a list.

import { address, keep } from "./address.js";
import { get } from "./api.js";
import { canvas, h, later } from "./dom.js";
import { Dots, symbol } from "./canvas-map.js";
import { STATES, city, roadsOf, statesOf, zonesOf } from "./city.js";
import { colour } from "./plot.js";
import { preferences } from "./preferences.js";
import { empty, start } from "./states.js";
import { ago } from "./times.js";
import { library } from "./vendor.js";
import { number, say, t } from "./words.js";

const ROWS = 60;
const NAMED = 40;
const FINE = STATES.indexOf("fine");
const dark = matchMedia("(prefers-color-scheme: dark)");

export default class CityMap {
  element = h("article", { class: "map-page" });
  #shown = new Set(STATES);

  constructor({ query, cases }) {
    this.query = query;
    this.cases = cases;
    if (query.show) this.#shown = new Set(query.show.split(",").filter((name) => STATES.includes(name)));
    this.redraw = later(() => { if (!this.gone) this.#count(); }, 400);
    this.repaint = () => { this.#lines(); this.dots.layer.redraw(); };
  }

  async show() {
    this.element.append(h("h1", { class: "unseen", tabIndex: -1 }, t("nav.map")));
    const [town, tiles] = await Promise.all([city({ fresh: true }), get("/v1/map/tiles").catch(() => ({})), library("vendor/leaflet.css", "map.css", "vendor/leaflet.js", "vendor/supercluster.min.js"), this.cases.whole()]);
    if (this.gone) return;
    this.town = town;
    if (!town.size) { this.element.replaceChildren(h("h1", { class: "unseen" }, t("nav.map")), start()); return; }
    this.holder = h("div", { class: "map", id: "map", role: "region", "aria-label": t("map.label") });
    this.legend = h("div", { class: "legend", role: "group", "aria-label": t("map.show") });
    this.list = h("ol", { class: "map-list" });
    this.about = h("p", { class: "soft small", role: "status" });
    this.tiles = tiles;
    this.element.append(tiles.url ? h("div", { class: "map-whole" }, this.holder, h("p", { class: "soft small" }, tiles.attribution)) : this.holder, h("aside", { class: "panel map-side", "aria-label": t("map.list") }, this.legend, this.about, this.list));
    this.#open();
    this.#count();
    this.cases.addEventListener("change", this.redraw);
    dark.addEventListener("change", this.repaint);
  }

  #open() {
    const { L } = window;
    const map = (this.map = L.map(this.holder, { preferCanvas: true, fadeAnimation: false, zoomControl: false, minZoom: 2, maxZoom: 19, attributionControl: false }));
    L.control.zoom({ position: "topright", zoomInTitle: t("map.closer"), zoomOutTitle: t("map.further") }).addTo(map);
    L.control.scale({ metric: preferences.speed === "kmh", imperial: preferences.speed === "mph" }).addTo(map);
    map.createPane("dots").style.zIndex = "450";
    map.getPane("dots").style.pointerEvents = "none";
    const [lat, lon, zoom] = (this.query.at ?? "").split(",").map(Number);
    const placed = this.town.lon.flatMap((each, i) => (each === null ? [] : [[this.town.lat[i], each]]));
    if (zoom) map.setView([lat, lon], zoom);
    else if (placed.length) map.fitBounds(L.latLngBounds(placed), { padding: [30, 30], maxZoom: 16 });
    else map.setView([0, 0], 2);
    if (this.tiles.url) L.tileLayer(this.tiles.url, { maxZoom: 19 }).addTo(map);
    this.dots = new Dots(map);
    this.#lines();
    map.on("moveend", () => {
      if (this.gone) return; // Leaflet tells of a resize a moment later
      const { lat: y, lng: x } = map.getCenter();
      keep({ at: `${y.toFixed(5)},${x.toFixed(5)},${map.getZoom()}` });
      this.#rows();
    });
    map.on("click", ({ latlng }) => this.#pick(this.dots.near(latlng)));
    map.on("mousemove", ({ latlng }) => { this.holder.style.cursor = this.dots.near(latlng) ? "pointer" : ""; });
  }

  // Zones and roads beneath the sensors, named where there are few; each opens its page.
  #lines() {
    const { L } = window;
    this.drawn?.remove();
    this.drawn = L.layerGroup().addTo(this.map);
    const [zones, roads] = [zonesOf(this.town).filter(({ hull }) => hull.length), roadsOf(this.town).filter(({ points }) => points.length > 1)];
    const permanent = zones.length + roads.length <= NAMED;
    const put = (shape, name, at, place) => {
      shape.on("click", ({ latlng }) => { if (!this.dots.near(latlng)) location.hash = place; }).addTo(this.drawn);
      if (permanent) L.tooltip(at, { content: name, permanent, direction: "top", className: "map-name", offset: [0, -6] }).addTo(this.drawn);
      else shape.bindTooltip(name, { sticky: true, className: "map-name" });
    };
    for (const { zone, hull } of zones) {
      const north = hull.reduce((best, each) => (each[0] > best[0] ? each : best));
      put(L.polygon(hull, { color: colour("--line-strong"), weight: 1.5, dashArray: "4 4", fillColor: colour("--accent"), fillOpacity: 0.06 }), zone, north, address("zone", zone));
    }
    for (const { road, direction, points } of roads) {
      put(L.polyline(points, { color: colour("--line-strong"), weight: 5, opacity: 0.8 }), [road, direction].filter(Boolean).join(" "), points[0], address("corridor", road, { direction }));
    }
  }

  #count() {
    const { states, alerts } = statesOf(this.town, this.cases);
    Object.assign(this, { states, alerts });
    const counts = STATES.map((_, state) => states.reduce((sum, each) => sum + (each === state), 0));
    this.legend.replaceChildren(...STATES.map((name, state) => {
      const box = h("input", { type: "checkbox", checked: this.#shown.has(name), onchange: () => {
        if (!this.#shown.delete(name)) this.#shown.add(name);
        keep({ show: this.#shown.size === STATES.length ? null : [...this.#shown].join(",") });
        this.#draw();
      } });
      return h("label", {}, box, sign(state, ""), h("span", {}, t(`map.${name}`)), h("b", { class: "num" }, number(counts[state])));
    }));
    this.#draw();
  }

  #draw() {
    const { town, states } = this;
    const points = [];
    for (let i = 0; i < town.size; i += 1) {
      if (town.lon[i] !== null && this.#shown.has(STATES[states[i]])) points.push([town.lon[i], town.lat[i], i, states[i]]);
    }
    this.dots.set(points);
    this.#rows();
  }

  // The same without eyes: what is inside the map's frame, the worst first. Only what needs a look is sorted: the rest
  // of a large city would cost a frame each time the map is moved.
  #rows(picked = null) {
    const { town, states, alerts } = this;
    const frame = this.map.getBounds();
    const [west, east, south, north] = [frame.getWest(), frame.getEast(), frame.getSouth(), frame.getNorth()];
    const within = (lon, lat) => lon === null || (lon >= west && lon <= east && lat >= south && lat <= north);
    const visible = STATES.map((name) => this.#shown.has(name));
    const [ill, fine] = [[], []];
    for (const i of picked ?? town.id.keys()) {
      if (visible[states[i]] && (picked || within(town.lon[i], town.lat[i]))) (states[i] < FINE ? ill : fine).push(i);
    }
    const raised = (i) => alerts.get(i)?.raised_at ?? "";
    const newer = (a, b) => (raised(a) === raised(b) ? a - b : raised(a) < raised(b) ? 1 : -1);
    ill.sort((a, b) => states[a] - states[b] || newer(a, b));
    const count = ill.length + fine.length;
    this.about.textContent = t("map.inside", { count, ill: ill.length }) + (count > ROWS ? ` ${t("map.first", { count: ROWS })}` : "");
    this.list.replaceChildren(...ill.slice(0, ROWS).concat(fine.slice(0, Math.max(0, ROWS - ill.length))).map((i) => {
      const alert = alerts.get(i);
      return h("li", {}, sign(states[i]), h("div", {},
        h("a", { href: alert ? address("alert", alert.id) : address("sensor", town.id[i]) }, town.name[i] ?? town.id[i]),
        h("div", { class: "soft small" }, [alert ? `${say("rules", alert.rule)}, ${ago(alert.started_at)}` : say("kinds", town.kinds[town.kind[i]]), town.zones[town.zone[i]], town.roads[town.road[i]]?.filter(Boolean).join(" ")].filter(Boolean).join(" · "))));
    }));
    if (!count) this.list.replaceChildren(empty(t("map.none"), t("map.none_how")));
  }

  #pick(found) {
    if (!found) return;
    if (!found.cluster) { const alert = this.alerts.get(found.i); location.hash = alert ? address("alert", alert.id) : address("sensor", this.town.id[found.i]); return; }
    const zoom = this.dots.expansion(found.cluster_id);
    if (zoom > this.map.getZoom()) this.map.setView([found.lat, found.lon], zoom);
    else this.#rows(this.dots.members(found.cluster_id, 1000));
  }

  destroy() {
    this.gone = true;
    this.cases.removeEventListener("change", this.redraw);
    dark.removeEventListener("change", this.repaint);
    this.map?.remove();
  }
}

function sign(state, words = t(`map.${STATES[state]}`)) {
  const name = STATES[state];
  return canvas(22, (ctx) => symbol(ctx, 11, 11.5, state, { line: colour(name === "trouble" ? "--soft" : name === "fine" ? "--accent" : `--${name}`) }, colour("--surface")), words);
}
