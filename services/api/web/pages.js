// The pages of the console: their names, keys and modules, which are loaded when they are first opened.

export const PAGES = [
  { name: "now", key: "n", icon: "now" },
  { name: "map", key: "m", icon: "map", load: () => import("./map.js") },
  { name: "corridors", key: "c", icon: "road", load: () => import("./corridors.js") },
  { name: "zones", key: "z", icon: "zone", load: () => import("./zones.js") },
  { name: "sensors", key: "s", icon: "sensor", load: () => import("./sensors.js") },
  { name: "quality", key: "q", icon: "quality", load: () => import("./quality.js") },
  { name: "performance", key: "p", icon: "performance", load: () => import("./performance.js") },
  { name: "expect", key: "e", icon: "expect", load: () => import("./expect.js") },
  { name: "messages", key: "t", icon: "messages", load: () => import("./messages.js") },
  { name: "rules", key: "r", icon: "rules", load: () => import("./rules.js") },
];

// Views of one thing, and the page under which they stand.
export const VIEWS = {
  alert: { page: "now" },
  sensor: { page: "sensors", load: () => import("./sensor.js") },
  corridor: { page: "corridors", load: () => import("./corridor.js") },
  zone: { page: "zones", load: () => import("./zone.js") },
  rule: { page: "rules", load: () => import("./rule.js") },
  rejected: { page: "quality", load: () => import("./rejected.js") },
};
