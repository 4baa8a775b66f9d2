// The service's state in the bar: connected or not, and how many readings arrive.

import { get } from "./api.js";
import { byId } from "./dom.js";
import { clock } from "./times.js";
import { t } from "./words.js";

const EVERY_MS = 5000;
const PATIENCE_MS = 3000; // a stream that reconnects at once is no outage

export class Pulse {
  #live = "wait";
  #before = null;
  #rate = null;
  #still = 0;
  #patience = 0;
  #seen = Date.now();

  constructor() {
    this.look();
    setInterval(() => { if (!document.hidden) this.look(); }, EVERY_MS);
  }

  connection(state) {
    if (state === "away" && this.#live === "live" && navigator.onLine) {
      this.#patience ||= setTimeout(() => this.#connection(state), PATIENCE_MS);
    } else this.#connection(state);
  }

  #connection(state) {
    clearTimeout(this.#patience);
    this.#patience = 0;
    if (this.#live === "live" && state !== "live") this.#seen = Date.now();
    this.#live = state;
    const banner = byId("banner");
    banner.hidden = state !== "away";
    banner.textContent = state === "away" ? t("pulse.offline", { time: clock(this.#seen, Intl.DateTimeFormat().resolvedOptions().timeZone) }) : "";
    this.#draw();
  }

  async look() {
    try {
      const { total } = await get("/v1/ingest/accounting");
      const now = performance.now() / 1000;
      if (this.#before) {
        const seconds = now - this.#before.at;
        this.#rate = Math.max(0, (total.received - this.#before.received) / seconds);
        this.#still = this.#rate > 0 ? 0 : this.#still + seconds;
      }
      this.#before = { at: now, received: total.received };
    } catch {
      this.#rate = null;
      this.#before = null;
    }
    this.#draw();
  }

  #draw() {
    const pulse = byId("pulse");
    const text = byId("pulse-text");
    const busy = this.#rate !== null && this.#still < 15;
    pulse.dataset.state = this.#live === "live" && this.#rate !== null && !busy ? "still" : this.#live;
    if (this.#live === "away") text.textContent = t("pulse.away");
    else if (this.#live === "wait") text.textContent = t("pulse.wait");
    else if (this.#rate === null) text.textContent = t("pulse.connected");
    else if (!busy) text.textContent = t("pulse.still");
    else text.textContent = this.#rate >= 0.95 ? t("pulse.second", { count: Math.round(this.#rate) }) : t("pulse.minute", { count: Math.round(this.#rate * 60) });
  }
}
