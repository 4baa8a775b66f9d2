// Every word that the console says, in one place; another language is another file with these names.

export const RULES = {
  continuous_flow: "Water never stops flowing",
  burst: "Sudden high flow: possible burst",
  night_flow: "Too much water flows at night",
  intermittent_leak: "Water flows again and again",
  zone_leak: "The zone loses water",
  backflow: "Water flows backwards",
  silent: "Sensor is silent",
  feed_silent: "Readings no longer come",
  stuck: "Sensor repeats one value",
  sensor_fault: "Sensor gives impossible values",
  congestion: "Traffic is jammed",
  incident: "Sudden jam: possible accident",
};
export const SEVERITIES = { critical: "Critical", warning: "Warning", info: "Notice" };
export const VERDICTS = {
  real: "It was real",
  sensor_fault: "The sensor is faulty",
  legitimate_use: "Somebody used it on purpose",
  duplicate: "Already known from another alert",
  unknown: "Could not be found out",
};
export const KINDS = {
  water_meter: "Water meter", dma_inlet: "Inlet of a zone", dma_outlet: "Outlet of a zone", pump: "Pump",
  pressure: "Pressure sensor", tank_level: "Tank level", traffic_station: "Traffic station", traffic_lane: "Traffic lane",
};
export const UNITS = {
  "L": "litres", "L/h": "litres per hour", "kPa": "kPa", "m": "metres", "Cel": "°C", "%": "%",
  "{veh}": "vehicles", "{veh}/h": "vehicles per hour", "km/h": "km/h", "s": "seconds",
};
export const METRICS = {
  register_litres: "Meter reading", consumption_litres: "Consumption", flow_litres_per_h: "Flow", pressure_kpa: "Pressure",
  level_m: "Level", temperature_celsius: "Temperature", battery_pct: "Battery", count_veh: "Vehicles counted",
  flow_veh_per_h: "Traffic flow", speed_km_per_h: "Speed", occupancy_pct: "Time covered by vehicles",
};
export const EVENTS = {
  raised: "Alert began", updated: "New figures", escalated: "Became more urgent", cleared: "Back to normal",
  acknowledged: "Acknowledged", shelved: "Hidden for a while", unshelved: "Shown again", commented: "Comment", resolved: "Case closed",
};

export const WORDS = {
  acknowledge: "Acknowledge", acknowledgeAll: (count) => `Acknowledge all ${count}`,
  unfold: (count) => `and ${count} more`, unfoldAll: (count) => (count === 1 ? "and 1 more alert of this event" : `and ${count} more alerts of this event`),
  fold: "Fold", foldAll: "Fold the event", sameEvent: "Same event", close: "Close the case", hide: "Hide for a while", show: "Show again", comment: "Comment",
  cancel: "Cancel", retry: "Try again", back: "All alerts", sending: "Sending",
  detector: "Citygauge",
  offline: "No connection to the service. You see what was known last; it reconnects by itself.",
  loadFailed: "The alerts could not be loaded.",
  quietTitle: "All quiet", quiet: "There is no open alert. A new one appears here by itself.",
  noneTitle: "Nothing yet", none: "No alert was ever raised.",
  pickTitle: "Choose an alert", pick: "You will see its sensor's readings around the event, and what you can do.",
  noChart: "This is about many sensors at once, so there is no single series to draw.",
  noSensor: "This sensor is not in the register, so there is nothing to draw.",
  noData: "There are no readings in this time.",
  notFound: "Nothing found. Try a part of its name or id.",
  gone: "This does not exist, or no longer.",
  typedKept: "What you typed is kept.",
};

export const say = (table, key) => table[key] ?? String(key ?? "").replaceAll("_", " ");

export const number = (value, digits = 4) =>
  value === null || value === undefined || !Number.isFinite(value)
    ? "–"
    : new Intl.NumberFormat(undefined, Math.abs(value) >= 1000 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: digits }).format(value);

export const amount = (value, unit) => {
  const text = number(value);
  return text === "–" ? text : unit === "%" ? `${text} %` : `${text} ${say(UNITS, unit)}`;
};

export function stateOf(alert, time) {
  if (alert.state === "resolved") return `Closed: ${say(VERDICTS, alert.verdict).toLowerCase()}`;
  if (alert.shelved_until && new Date(alert.shelved_until) > new Date()) return `Hidden until ${time(alert.shelved_until)}`;
  if (alert.state === "cleared") return "Back to normal";
  if (alert.state === "acknowledged") return `With ${alert.acknowledged_by}`;
  return "Nobody has it yet";
}

const SUBJECTS = { feed: { water: "All water sensors", traffic: "All traffic sensors" } };

// A feed or a gateway in words; nothing for a sensor.
function manyOf(alert) {
  const name = String(alert.subject ?? "").replace(/^[^/]*\//, "");
  if (alert.subject_kind === "feed") return SUBJECTS.feed[name] ?? `All ${name} sensors`;
  return alert.subject_kind === "gateway" ? `Gateway ${name}` : null;
}

export function placeOf(alert) {
  const many = manyOf(alert);
  if (many) return many;
  const place = alert.place ?? alert;
  const parts = [place.name ?? alert.subject ?? alert.id];
  if (place.road) parts.push([place.road, place.direction].filter(Boolean).join(" "));
  if (place.zone) parts.push(place.zone);
  return parts.filter(Boolean).join(" · ");
}
