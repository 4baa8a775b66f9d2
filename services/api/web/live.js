// The live stream of alerts: reconnects, resumes where it was, and says whether it is connected.

import { get } from "./api.js";

const LONGEST_PAUSE_MS = 15000;

export class Live {
  #source = null;
  #pause = 1000;
  #last = "";
  #onEvent;
  #onState;
  #onReset;

  constructor(onEvent, onState, onReset) {
    this.#onEvent = onEvent;
    this.#onState = onState;
    this.#onReset = onReset;
    addEventListener("online", () => this.#restart());
    addEventListener("offline", () => this.#onState("away"));
  }

  start() {
    this.#source?.close();
    const from = this.#last ? `?after=${encodeURIComponent(this.#last)}` : "";
    this.#source = new EventSource(`/v1/alerts/stream${from}`);
    this.#source.addEventListener("ready", (event) => {
      this.#last ||= event.lastEventId;
      this.#pause = 1000;
      this.#onState("live");
    });
    this.#source.addEventListener("alert", (event) => {
      this.#last = event.lastEventId;
      this.#onEvent(JSON.parse(event.data));
    });
    this.#source.addEventListener("reset", (event) => {
      this.#last = event.lastEventId;
      this.#onReset();
    });
    this.#source.addEventListener("error", () => {
      this.#onState("away");
      if (this.#source.readyState === EventSource.CLOSED) this.#later();
    });
  }

  #restart() {
    this.#pause = 1000;
    this.start();
  }

  #later() {
    setTimeout(async () => {
      try { await get("/v1/session"); } catch { /* a 401 leads to the sign-in page; anything else is retried */ }
      this.start();
    }, this.#pause);
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS);
  }
}
