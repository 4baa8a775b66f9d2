// The alerts that the page knows: the newest version of each, however it came (list, stream, answer to a change).

import { get } from "./api.js";
import { now } from "./server-time.js";

const RANK = { critical: 2, warning: 1, info: 0 };
const NOTES = new Set(["register"]); // kept in a sensor's history; they ask nobody to act
const FIRST = 100;
const PAGE = 1000;
const PASSED = 1000; // alerts that came live and are no longer open
const FLOOD = 8; // so many alike from one place are one entry

export const hidden = (alert) => Boolean(alert.shelved_until) && new Date(alert.shelved_until) > now();
// What needs a person: it is still measured, or it was over before anybody looked; nobody closed, hid or held it back.
export const open = (alert) => (alert.active || alert.latched) && alert.state !== "resolved" && !hidden(alert) && !alert.suppressed_by && !NOTES.has(alert.rule);
const newest = (a, b) => (a.raised_at < b.raised_at ? 1 : a.raised_at > b.raised_at ? -1 : a.id < b.id ? -1 : 1); // RFC 3339 sorts as text
// First what nobody has, then what was over before anybody looked, then what somebody has.
const turn = (alert) => (alert.state === "acknowledged" ? 2 : alert.active ? 0 : 1);
export const byUrgency = (a, b) => turn(a) - turn(b) || RANK[b.severity] - RANK[a.severity] || newest(a, b);
export const byTime = newest;

// Alerts of one event as one entry: what is open stands for it, then what is worst, then what was told first. A flood of
// alike alerts of one zone or road is one entry, too, where `fold` asks for it.
export function events(alerts, order, fold = false) {
  const groups = new Map();
  for (const alert of alerts) {
    const group = alert.group_id ?? alert.id;
    const members = groups.get(group);
    if (members) members.push(alert);
    else groups.set(group, [alert]);
  }
  const found = [];
  for (const [group, members] of groups) {
    if (members.length > 1) members.sort((a, b) => open(b) - open(a) || RANK[b.severity] - RANK[a.severity] || -newest(a, b));
    const [alert, ...rest] = members;
    found.push({ group, alert, rest });
  }
  return (fold ? folded(found) : found).sort((a, b) => order(a.alert, b.alert));
}

function folded(entries) {
  const alike = new Map();
  for (const entry of entries) {
    const { rule, place, state } = entry.alert;
    const where = place?.zone ?? place?.road;
    const key = where ? `flood ${rule} ${where} ${state}` : entry.group;
    const others = alike.get(key);
    if (others) others.push(entry);
    else alike.set(key, [entry]);
  }
  return [...alike].flatMap(([group, some]) => {
    if (some.length < FLOOD) return some;
    const alerts = some.flatMap((entry) => [entry.alert, ...entry.rest]).sort((a, b) => RANK[b.severity] - RANK[a.severity] || newest(a, b));
    return [{ group, alert: alerts[0], rest: alerts.slice(1), flood: true }];
  });
}

export class Cases extends EventTarget {
  #known = new Map();
  #passed = new Set(); // ids of what is no longer open and came by the stream, the oldest change first
  #next = null;
  #more = false;
  #whole = false;
  #loading = null;

  get size() { return this.#known.size; }

  get(id) { return this.#known.get(id); }

  listed(show) {
    const all = [...this.#known.values()];
    return show === "open" ? all.filter(open).sort(byUrgency) : all.sort(byTime);
  }

  hasMore(show) { return show === "open" ? !this.#whole : this.#more; }

  take(alert, fresh = false) {
    const known = this.#known.get(alert.id);
    if (known && known.version > alert.version) return;
    this.#known.set(alert.id, alert);
    if (fresh) this.#forget(alert);
    this.#tell({ alert, isNew: fresh && !known });
  }

  // A wall shows the console for weeks: of what came and went while it looked, only the newest are kept.
  #forget(alert) {
    this.#passed.delete(alert.id);
    if (open(alert)) return;
    this.#passed.add(alert.id);
    if (this.#passed.size <= PASSED) return;
    const [oldest] = this.#passed;
    this.#passed.delete(oldest);
    this.#known.delete(oldest);
  }

  // Every open alert, the most urgent first; done when the first page is there, the rest follows. Its promise is in `rest`.
  async loadOpen() {
    const before = this.#whole ? new Set(this.#known.keys()) : null;
    const seen = new Set();
    const news = [];
    const page = async (severity, limit, after) => {
      const found = await get("/v1/alerts", { state: "current", severity, limit, after });
      for (const alert of found.items) {
        seen.add(alert.id);
        if (before && !before.has(alert.id)) news.push(alert);
        this.#keep(alert);
      }
      this.#tell({});
      return found.next;
    };
    const rest = async (next) => {
      for (const severity of ["critical", "warning", "info"]) {
        let after = severity === "critical" ? next : undefined;
        while (after !== null) after = await page(severity, PAGE, after);
      }
      for (const [id, alert] of this.#known) if (before?.has(id) && open(alert) && !seen.has(id)) this.#known.delete(id);
      this.#whole = true;
      this.#tell({});
      for (const alert of news) this.#tell({ alert, isNew: true });
    };
    const first = await page("critical", FIRST);
    this.#loading = rest(first);
    this.#loading.catch(() => {});
    return this.#loading;
  }

  // Until every open alert is known.
  async whole() {
    if (!this.#whole) await (this.#loading ?? this.loadOpen());
  }

  async loadAll(more = false) {
    const page = await get("/v1/alerts", { limit: FIRST, after: more ? this.#next : null });
    this.#next = page.next;
    this.#more = page.has_more;
    for (const alert of page.items) this.#keep(alert);
    this.#tell({});
  }

  #keep(alert) {
    const known = this.#known.get(alert.id);
    if (!known || known.version <= alert.version) this.#known.set(alert.id, alert);
  }

  #tell(detail) { this.dispatchEvent(new CustomEvent("change", { detail })); }
}
