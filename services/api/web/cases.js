// The alerts that the page knows: the newest version of each, however it came (list, stream, answer to a change).

import { get } from "./api.js";

const RANK = { critical: 2, warning: 1, info: 0 };
const PAGE = 100;

export const hidden = (alert) => Boolean(alert.shelved_until) && new Date(alert.shelved_until) > new Date();
export const open = (alert) => alert.active && alert.state !== "resolved" && !hidden(alert);
export const byUrgency = (a, b) =>
  (a.state === "acknowledged") - (b.state === "acknowledged") ||
  RANK[b.severity] - RANK[a.severity] ||
  new Date(b.raised_at) - new Date(a.raised_at) ||
  (a.id < b.id ? -1 : 1);
export const byTime = (a, b) => new Date(b.raised_at) - new Date(a.raised_at) || (a.id < b.id ? -1 : 1);

// Alerts of one event as one entry: what is open stands for it, then what is worst, then what was told first.
export function events(alerts, order) {
  const groups = new Map();
  for (const alert of alerts) {
    const group = alert.group_id ?? alert.id;
    if (!groups.has(group)) groups.set(group, []);
    groups.get(group).push(alert);
  }
  const found = [...groups].map(([group, members]) => {
    const [alert, ...rest] = members.sort((a, b) => open(b) - open(a) || RANK[b.severity] - RANK[a.severity] || new Date(a.raised_at) - new Date(b.raised_at) || (a.id < b.id ? -1 : 1));
    return { group, alert, rest };
  });
  return found.sort((a, b) => order(a.alert, b.alert));
}

export class Cases extends EventTarget {
  #known = new Map();
  #next = { open: null, all: null };
  #whole = false;

  get(id) { return this.#known.get(id); }

  listed(show) {
    const all = [...this.#known.values()];
    return show === "open" ? all.filter(open).sort(byUrgency) : all.sort(byTime);
  }

  hasMore(show) { return Boolean(this.#next[show]); }

  take(alert, fresh = false) {
    const known = this.#known.get(alert.id);
    if (known && known.version > alert.version) return;
    this.#known.set(alert.id, alert);
    this.dispatchEvent(new CustomEvent("change", { detail: { alert, isNew: fresh && !known } }));
  }

  async load(show, { more = false } = {}) {
    const after = more ? this.#next[show] : null;
    const page = await get("/v1/alerts", { state: show === "open" ? "open" : null, limit: PAGE, after });
    if (show === "open" && !more && !page.has_more) {
      const still = new Set(page.items.map((alert) => alert.id));
      for (const [id, alert] of this.#known) if (open(alert) && !still.has(id)) this.#known.delete(id);
    }
    if (!more || page.items.length) this.#next[show] = page.next;
    // What came while the stream was away is news too, unless it may be an old entry of a list too long to know whole.
    const news = show === "open" && !more && this.#whole ? page.items.filter((alert) => !this.#known.has(alert.id)) : [];
    if (show === "open") this.#whole = !page.has_more;
    for (const alert of page.items) {
      const known = this.#known.get(alert.id);
      if (!known || known.version <= alert.version) this.#known.set(alert.id, alert);
    }
    this.dispatchEvent(new CustomEvent("change", { detail: {} }));
    for (const alert of news) this.dispatchEvent(new CustomEvent("change", { detail: { alert, isNew: true } }));
  }
}
