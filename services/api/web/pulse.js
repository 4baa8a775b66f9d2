// The service's state in the bar: connected or not, and how many readings arrive.

import { get } from "./api.js";
import { byId } from "./dom.js";
import { WORDS, number } from "./words.js";

const EVERY_MS = 5000;
const PATIENCE_MS = 3000; // a stream that reconnects at once is no outage

export class Pulse {
  #live = "wait";
  #before = null;
  #rate = null;
  #still = 0;
  #patience = 0;

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
    this.#live = state;
    const banner = byId("banner");
    banner.hidden = state !== "away";
    banner.textContent = state === "away" ? WORDS.offline : "";
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
    if (this.#live === "away") text.textContent = "Not connected";
    else if (this.#live === "wait") text.textContent = "Connecting";
    else if (this.#rate === null) text.textContent = "Connected";
    else if (!busy) text.textContent = "Connected, no readings arriving";
    else text.textContent = this.#rate >= 0.95 ? `${number(Math.round(this.#rate))} readings a second` : `${number(Math.round(this.#rate * 60))} readings a minute`;
  }
}
