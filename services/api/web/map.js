// The map: sensors by state, zones and roads, drawn without any tile server; beside it the same as a list.

import { address, here, keep } from "./address.js";
import { get } from "./api.js";
import { canvas, h, later, refill, seldom } from "./dom.js";
import { Areas } from "./areas.js";
import { Dots, cluster, look, symbol } from "./canvas-map.js";
import { STATES, city, roadsOf, statesOf, zonesOf } from "./city.js";
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
    this.redraw = seldom(() => { if (!this.gone) this.#count(); }, 400);
    this.moved = later(() => this.#rest(), 120);
    this.repaint = () => { this.areas.layer.redraw(); this.dots.redraw(); this.#key(); this.#count(); };
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
    this.#key();
    this.#count();
    this.cases.addEventListener("change", this.redraw);
    dark.addEventListener("change", this.repaint);
  }

  #open() {
    const { L } = window;
    const map = (this.map = L.map(this.holder, { fadeAnimation: false, zoomControl: false, minZoom: 2, maxZoom: 19, attributionControl: false }));
    L.control.zoom({ position: "topright", zoomInTitle: t("map.closer"), zoomOutTitle: t("map.further") }).addTo(map);
    L.control.scale({ metric: preferences.speed === "kmh", imperial: preferences.speed === "mph", updateWhenIdle: true }).addTo(map);
    for (const [pane, height] of [["areas", "440"], ["dots", "450"]]) Object.assign(map.createPane(pane).style, { zIndex: height, pointerEvents: "none" });
    const [lat, lon, zoom] = (this.query.at ?? "").split(",").map(Number);
    const placed = this.town.lon.flatMap((each, i) => (each === null ? [] : [[this.town.lat[i], each]]));
    if (zoom) map.setView([lat, lon], zoom);
    else if (placed.length) map.fitBounds(L.latLngBounds(placed), { padding: [30, 30], maxZoom: 16 });
    else map.setView([0, 0], 2);
    if (this.tiles.url) L.tileLayer(this.tiles.url, { maxZoom: 19 }).addTo(map);
    this.areas = new Areas(map, "areas");
    this.dots = new Dots(map);
    this.tip = L.tooltip({ className: "map-name", direction: "top", offset: [0, -6] });
    this.#lines();
    map.on("moveend", this.moved);
    map.on("click", ({ latlng }) => this.#pick(this.dots.near(latlng), latlng));
    map.on("mousemove", ({ latlng }) => { if (!map.dragging.moving()) this.#point(latlng); });
    map.on("mouseout", () => this.tip.remove());
  }

  // The map rests where it was moved to; by then a person may be elsewhere.
  #rest() {
    if (this.gone || here().name !== "map") return;
    const { lat, lng } = this.map.getCenter();
    keep({ at: `${lat.toFixed(5)},${lng.toFixed(5)},${this.map.getZoom()}` });
    this.#rows();
  }

  // Zones and roads beneath the sensors, named where there are few; each opens its page.
  #lines() {
    const zones = zonesOf(this.town).filter(({ hull }) => hull.length).map(({ zone, hull }) => ({ points: hull, closed: true, name: zone, place: address("zone", zone) }));
    const roads = roadsOf(this.town).filter(({ points }) => points.length > 1)
      .map(({ road, direction, points }) => ({ points, closed: false, name: [road, direction].filter(Boolean).join(" "), place: address("corridor", road, { direction }) }));
    const shapes = [...zones, ...roads];
    this.areas.set(shapes);
    this.named = shapes.length <= NAMED;
    if (!this.named) return;
    for (const { points, closed, name } of shapes) {
      const at = closed ? points.reduce((north, each) => (each[0] > north[0] ? each : north)) : points[0];
      window.L.tooltip(at, { content: h("span", {}, name), permanent: true, direction: "top", className: "map-name", offset: [0, -6] }).addTo(this.map);
    }
  }

  // What the pointer means: a sensor or cluster, else a road or zone, which says its name where names are not shown.
  #point(latlng) {
    const dot = this.dots.near(latlng);
    const area = dot ? undefined : this.areas.at(latlng);
    this.holder.style.cursor = dot || area ? "pointer" : "";
    if (this.named) return;
    if (area) this.tip.setContent(h("span", {}, area.name)).setLatLng(latlng).addTo(this.map);
    else this.tip.remove();
  }

  // What stands beside a state in the legend stays the same element: a person may be on it.
  #key() {
    this.counts = STATES.map(() => h("b", { class: "num" }));
    this.legend.replaceChildren(...STATES.map((name, state) => {
      const box = h("input", { type: "checkbox", checked: this.#shown.has(name), onchange: () => {
        if (!this.#shown.delete(name)) this.#shown.add(name);
        keep({ show: this.#shown.size === STATES.length ? null : [...this.#shown].join(",") });
        this.#draw();
      } });
      return h("label", {}, box, sign(state, ""), h("span", {}, t(`map.${name}`)), this.counts[state]);
    }), h("p", { class: "soft small" }, canvas(26, (ctx) => cluster(ctx, 13, 13, { state: FINE, cluster: true, point_count: 1, words: "n" }, look(), 0.8)), t("map.cluster")));
  }

  #count() {
    const before = this.states;
    Object.assign(this, statesOf(this.town, this.cases));
    this.ranked = [...this.alerts].map(([i, { raised_at: raised }]) => ({ i, raised, state: this.states[i] }))
      .sort((a, b) => a.state - b.state || (a.raised === b.raised ? a.i - b.i : a.raised < b.raised ? 1 : -1)).map(({ i }) => i);
    const counts = STATES.map(() => 0);
    for (const state of this.states) counts[state] += 1;
    this.counts.forEach((place, state) => { place.textContent = number(counts[state]); });
    if (before && this.states.every((state, i) => state === before[i])) this.#rows();
    else this.#draw();
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

  // The same without eyes: what is inside the map's frame, the worst first; of what is fine only as many as are listed.
  #rows(picked = null) {
    const { town, states, alerts } = this;
    const frame = this.map.getBounds();
    const [west, east, south, north] = [frame.getWest(), frame.getEast(), frame.getSouth(), frame.getNorth()];
    const chosen = picked && new Set(picked);
    const within = (i) => (chosen ? chosen.has(i) : town.lon[i] === null || (town.lon[i] >= west && town.lon[i] <= east && town.lat[i] >= south && town.lat[i] <= north));
    const ill = this.ranked.filter((i) => this.#shown.has(STATES[states[i]]) && within(i));
    const fine = [];
    let count = ill.length;
    for (let i = 0; this.#shown.has("fine") && i < town.size; i += 1) {
      if (states[i] !== FINE || !within(i)) continue;
      count += 1;
      if (fine.length < ROWS) fine.push(i);
    }
    this.about.textContent = t("map.inside", { count, ill: ill.length }) + (count > ROWS ? ` ${t("map.first", { count: ROWS })}` : "");
    const known = look();
    refill(this.list, ill.concat(fine).slice(0, ROWS).map((i) => {
      const alert = alerts.get(i);
      return h("li", {}, sign(states[i], undefined, known), h("div", {},
        h("a", { href: alert ? address("alert", alert.id) : address("sensor", town.id[i]) }, town.name[i] ?? town.id[i]),
        h("div", { class: "soft small" }, [alert ? `${say("rules", alert.rule)}, ${ago(alert.started_at)}` : say("kinds", town.kinds[town.kind[i]]), town.zones[town.zone[i]], town.roads[town.road[i]]?.filter(Boolean).join(" ")].filter(Boolean).join(" · "))));
    }));
    if (!count) this.list.replaceChildren(empty(t("map.none"), t("map.none_how")));
  }

  #pick(found, latlng) {
    if (!found) { location.hash = this.areas.at(latlng)?.place ?? location.hash; return; }
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

function sign(state, words = t(`map.${STATES[state]}`), { tones, surface } = look()) {
  return canvas(22, (ctx) => symbol(ctx, 11, 11.5, state, tones[state], surface), words);
}
