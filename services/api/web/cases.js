// The alerts that the page knows: the newest version of each, however it came (list, stream, answer to a change).

import { get } from "./api.js";

const RANK = { critical: 2, warning: 1, info: 0 };
const FIRST = 100;
const PAGE = 1000;

export const hidden = (alert) => Boolean(alert.shelved_until) && new Date(alert.shelved_until) > new Date();
export const open = (alert) => alert.active && alert.state !== "resolved" && !hidden(alert);
const newest = (a, b) => (a.raised_at < b.raised_at ? 1 : a.raised_at > b.raised_at ? -1 : a.id < b.id ? -1 : 1); // RFC 3339 sorts as text
export const byUrgency = (a, b) => (a.state === "acknowledged") - (b.state === "acknowledged") || RANK[b.severity] - RANK[a.severity] || newest(a, b);
export const byTime = newest;

// Alerts of one event as one entry: what is open stands for it, then what is worst, then what was told first.
export function events(alerts, order) {
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
  return found.sort((a, b) => order(a.alert, b.alert));
}

export class Cases extends EventTarget {
  #known = new Map();
  #next = null;
  #more = false;
  #whole = false;
  #loading = null;

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
    this.#tell({ alert, isNew: fresh && !known });
  }

  // Every open alert, the most urgent first; done when the first page is there, the rest follows. Its promise is in `rest`.
  async loadOpen() {
    const before = this.#whole ? new Set(this.#known.keys()) : null;
    const seen = new Set();
    const news = [];
    const page = async (severity, limit, after) => {
      const found = await get("/v1/alerts", { state: "open", severity, limit, after });
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
