// Every word that the console says, in English. Another language is another file with these same keys: copy this one,
// translate the right-hand sides, and add its name to LANGUAGES in ../words.js. {name} is filled in; {one, other} is
// chosen by {count}. Terms: an alert is what Citygauge tells; a case is closed; a sensor is hardware.

export default {
  rules: {
    continuous_flow: "Water never stops flowing", burst: "Sudden high flow: possible burst",
    night_flow: "Too much water flows at night", intermittent_leak: "Water flows again and again",
    zone_leak: "The zone loses water", backflow: "Water flows backwards", silent: "Sensor is silent",
    feed_silent: "Readings no longer come", stuck: "Sensor repeats one value",
    sensor_fault: "Sensor gives impossible values", congestion: "Traffic is jammed",
    incident: "Sudden jam: possible accident",
  },
  severities: { critical: "Critical", warning: "Warning", info: "Notice" },
  verdicts: {
    real: "It was real", sensor_fault: "The sensor is faulty", legitimate_use: "Somebody used it on purpose",
    duplicate: "Already known from another alert", unknown: "Could not be found out",
  },
  kinds: {
    water_meter: "Water meter", dma_inlet: "Inlet of a zone", dma_outlet: "Outlet of a zone", pump: "Pump",
    pressure: "Pressure sensor", tank_level: "Tank level", traffic_station: "Traffic station", traffic_lane: "Traffic lane",
  },
  domains: { water: "Water", traffic: "Traffic" },
  units: {
    "L": "litres", "L/h": "litres per hour", "m3": "m³", "m3/h": "m³ per hour", "gal": "gallons", "gal/h": "gallons per hour",
    "kPa": "kPa", "bar": "bar", "psi": "psi", "m": "metres", "Cel": "°C", "%": "%", "{veh}": "vehicles",
    "{veh}/h": "vehicles per hour", "km/h": "km/h", "mph": "mph", "km": "km", "mi": "miles", "s": "seconds", "V": "volts",
  },
  metrics: {
    register_litres: "Meter reading", consumption_litres: "Consumption", flow_litres_per_h: "Flow", pressure_kpa: "Pressure",
    level_m: "Level", temperature_celsius: "Temperature", battery_pct: "Battery", count_veh: "Vehicles counted",
    flow_veh_per_h: "Traffic flow", speed_km_per_h: "Speed", occupancy_pct: "Time covered by vehicles",
    observed_at: "Time since the last reading",
  },
  events: {
    raised: "Alert began", updated: "New figures", escalated: "Became more urgent", cleared: "Back to normal",
    acknowledged: "Acknowledged", shelved: "Hidden for a while", unshelved: "Shown again", commented: "Comment", resolved: "Case closed",
  },
  reasons: {
    not_json: "Not readable as JSON", not_utf8: "Not readable as text", too_large: "Message too large", too_deep: "Nested too deeply",
    wrong_type: "A value of the wrong type", missing_field: "A field is missing", unknown_field: "A field that is not known",
    unknown_metric: "A measurement that is not known", unknown_unit: "A unit that is not known", not_finite: "A number that is not finite",
    no_value: "No value at all", bad_time: "A time that cannot be read", time_without_zone: "A time without a zone",
    time_in_future: "A time in the future", time_too_old: "A time long past", bad_sensor_id: "Not a sensor's id",
    unknown_topic: "A topic that is not known", unknown_sensor: "A sensor that nobody registered", wrong_domain: "A sensor of another domain",
    decoder_error: "A fault of the decoder", refused_by_database: "Refused by the database",
  },
  states: {
    closed: "Closed: {verdict}", hidden: "Hidden until {time}", cleared: "Back to normal", taken: "With {name}", waiting: "Nobody has it yet",
    was: "Was {severity}",
  },
  subjects: {
    water: "All water sensors", traffic: "All traffic sensors", feed: "All {name} sensors", gateway: "Gateway {name}",
  },
  nav: {
    label: "Pages", now: "Now", map: "Map", corridors: "Corridors", zones: "Zones", sensors: "Sensors", quality: "Data quality",
    performance: "Performance", rules: "Rules", menu: "Menu", close: "Close the menu", skip: "Skip to the content", home: "Citygauge, to the alerts",
    settings: "Language and units", help: "Keyboard help", out: "Sign out", docs: "For programmers",
  },
  now: {
    title: "Alerts", which: "Which alerts to show", open: "Open", all: "All", more: "Show more alerts",
    acknowledge: "Acknowledge", acknowledge_all: "Acknowledge all {count}",
    unfold: "and {count} more", unfold_all: { one: "and 1 more alert of this event", other: "and {count} more alerts of this event" },
    fold: "Fold", fold_all: "Fold the event", since: "since {time}",
    load_failed: "The alerts could not be loaded.", quiet_title: "All quiet", quiet: "There is no open alert. A new one appears here by itself.",
    none_title: "Nothing yet", none: "No alert was ever raised.",
    pick_title: "Choose an alert", pick: "You will see its sensor's readings around the event, and what you can do.",
    arrived: { one: "1 new alert. Show it", other: "{count} new alerts. Show them" },
    announce: "{severity}: {rule}, {place}",
  },
  acts: {
    label: "What you can do", acknowledge: "Acknowledge", close: "Close the case", hide: "Hide for a while", show: "Show again", comment: "Comment",
    cancel: "Cancel", sending: "Sending", kept: "What you typed is kept.",
    how: "How did it end?", found: "What did you find? (optional)", choose: "Please choose how it ended.",
    how_long: "For how long?", why: "Why?", why_hint: "Road works until Friday, for example", say_why: "Please say why, for your colleagues.",
    your_comment: "Your comment", write_first: "Please write something first.",
  },
  alert: {
    back: "All alerts", since: "Since", given: "Alert given", over: "Back to normal", lasted: "Lasted", measured: "Measured", limit: "Limit",
    usual: "Usual at this hour", missing: "Readings missing", sensor: "Sensor", concerns: "Concerns", silent: "Silent sensors",
    of: "{part} of {whole}", taken_by: "Acknowledged by", hidden_because: "Hidden because", until: "Until {time}: {reason}",
    same: "Same event", log: "What happened", english: "",
    around: "Around the event", day_before: "The day before", week_before: "The week before",
    no_chart: "This is about many sensors at once, so there is no single series to draw.",
    no_sensor: "This sensor is not in the register, so there is nothing to draw.",
  },
  chart: {
    readings: "Readings", what: "What to show", when: "Which time", as_table: "Show as table", as_chart: "Show as chart",
    none: "There are no readings in this time.", derived: "worked out from the meter reading", limit: "Limit {amount}", usual: "Usual {amount}",
    band: "Usual at this hour", beside: "A week earlier", alerts: "Alerts",
    began: "Began", told: "Alert given", ended: "Back to normal", time: "Time", table: "Readings as a table",
    label: "{metric} from {low} to {high} {unit}, {count} values. The same is there as a table.",
    rows: { one: "1 value, times in {zone}", other: "{count} values, times in {zone}" }, newest: "The newest {shown} of {count} values, times in {zone}",
  },
  sensor: {
    reports: "Reports", last: "Last reading", none_yet: "None yet", every: "every {time}", alerts: "Alerts of this sensor", never: "It never raised an alert.",
    day: "Last day", week: "Last week", month: "Last month", year: "Last year",
  },
  search: {
    label: "Find a sensor", hint: "Find a sensor by name or id", results: "Sensors", none: "Nothing found. Try a part of its name or id.",
  },
  sensors: {
    intro: "Every sensor in the register, with where it stands and how often it reports.", find: "Name or id", kind: "Kind", every_kind: "Every kind",
    name: "Name", zone: "Zone", road: "Road", cadence: "Reports every", more: "Show more sensors", none: "No such sensor",
  },
  map: {
    label: "Map of sensors, zones and roads. The list beside it has the same.", list: "Sensors in the map's frame", show: "Which sensors to show",
    critical: "Critical alert", warning: "Warning", info: "Notice", trouble: "The sensor itself is in trouble", fine: "Nothing to report",
    closer: "Closer", further: "Further away", inside: "{count} sensors in the frame, {ill} need a look.", first: "The first {count} are listed.",
    none: "No sensor in this frame", none_how: "Move the map, or tick more states.",
  },
  pulse: {
    away: "Not connected", wait: "Connecting", connected: "Connected", still: "Connected, no readings arriving",
    second: "{count} readings a second", minute: "{count} readings a minute",
    offline: "No connection to the service. You see what was known at {time}; it reconnects by itself.",
  },
  states_page: {
    loading: "Loading", retry: "Try again", gone: "This does not exist, or no longer.", failed: "This could not be loaded.", stale: "As of {time}: it could not be refreshed.",
  },
  times: { just_now: "just now", moment: "less than a minute", in_zone: "{utc} (shown: {zone})" },
  errors: {
    no_answer: "The service does not answer. Check the connection and try again.", signed_out: "You are no longer signed in.",
    forbidden: "Your key does not allow this. Ask an administrator for a key that may operate alerts.",
    not_found: "This does not exist, or no longer.",
    conflict: "A colleague changed this at the same time. You see the newer state now; please look and try again.",
    too_many: "Too many requests at once. Please wait a moment and try again.",
    broken: "Something went wrong in the service. Please try again; if it happens again, tell an administrator.",
    database: "The database does not answer just now. Please try again in a moment.",
    no_longer: "This is no longer possible: the alert has changed meanwhile.", check: "Please check {what}.", entered: "what you entered",
  },
  login: {
    title: "Sign in", why: "Use the key that your administrator gave you. It begins with cg_.", key: "Key", submit: "Sign in",
    first: "First start? The service wrote a key into a file that only you can read, and showed it once in its window.",
    used: "That sign-in link was already used or is not valid. Use your key instead; it begins with cg_.",
    refused: "This key is not valid. Check that you copied all of it.",
  },
  settings: {
    title: "Language and units", language: "Language", water: "Water", speed: "Speed", pressure: "Pressure", times: "Times", keys: "Shortcuts with single keys",
    litres: "Litres", m3: "Cubic metres", gallons: "US gallons", kmh: "Kilometres per hour", mph: "Miles per hour", kpa: "Kilopascal", bar: "Bar", psi: "Pounds per square inch (psi)",
    site: "In the sensor's own time zone", utc: "In UTC", on: "On", off: "Off", save: "Use these",
    kept: "Kept in this browser. The sentence of an alert is written by the service, in English and in litres and km/h.",
  },
  help: {
    title: "Keyboard", intro: "Everything works with Tab and Enter. These keys are quicker; they can be switched off under Language and units.",
    to: "Go to {page}", search: "Find a sensor", next: "Next alert", before: "Alert before", open: "Open it", take: "Acknowledge",
    choose: "Choose it, for several at once", fresh: "Show alerts that arrived", help: "This help", leave: "Leave a field, close a window", close: "Close",
  },
  start: {
    title: "Nothing is connected yet", intro: "Three steps to the first alert. Nothing here needs a cloud.",
    one: "See it work first", one_how: "Simulated meters and roads publish to your broker like real ones:",
    two: "Register your first sensor", two_how: "One line for each sensor: id, kind, name, zone or road.",
    three: "Send its first reading", three_how: "Any MQTT client will do. It appears here by itself.", copy: "Copy", copied: "Copied",
  },
};
