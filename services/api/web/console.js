// Starts the console and turns addresses (#/alert/…, #/sensor/…) into views.

import { get, send } from "./api.js";
import { Case } from "./case.js";
import { Cases } from "./cases.js";
import { byId, h, icon } from "./dom.js";
import { Live } from "./live.js";
import { Pulse } from "./pulse.js";
import { Queue } from "./queue.js";
import { search } from "./search.js";
import { SensorView } from "./sensor.js";
import { WORDS } from "./words.js";

const cases = new Cases();
const queue = new Queue(cases);
let view = null;

async function route() {
  const [, kind, id] = location.hash.match(/^#\/(alert|sensor)\/(.+)$/) ?? [];
  view?.destroy();
  view = null;
  document.querySelector(".board").dataset.view = kind ? "open" : "";
  queue.choose(kind === "alert" ? id : "");
  const place = byId("view");
  if (!kind) {
    place.replaceChildren(h("div", { class: "blank" }, icon("gauge", 44), h("b", {}, WORDS.pickTitle), h("p", {}, WORDS.pick)));
    return;
  }
  const mine = kind === "alert" ? new Case(id, cases) : new SensorView(decodeURIComponent(id));
  view = mine;
  place.replaceChildren(mine.element);
  place.scrollTop = 0;
  if (matchMedia("(max-width: 900px)").matches) scrollTo(0, 0);
  try {
    await mine.show();
    const at = document.activeElement;
    if (view === mine && (at === document.body || at?.dataset.part === "open" || at?.id === "search-box")) mine.element.querySelector("h2")?.focus({ preventScroll: true });
  } catch (problem) {
    if (view !== mine) return;
    mine.element.append(h("div", { class: "note" }, problem.status === 404 || problem.status === 422 ? WORDS.gone : problem.message,
      h("div", {}, h("button", { type: "button", onclick: route }, WORDS.retry))));
    mine.element.querySelector(".ghost")?.remove();
  }
}

byId("sign-out").addEventListener("click", async () => {
  try { await send("DELETE", "/v1/session"); } finally { location.assign("/login"); }
});
addEventListener("hashchange", route);

const pulse = new Pulse();
let connected = false;
const live = new Live(
  ({ alert }) => cases.take(alert, true),
  (state) => {
    pulse.connection(state);
    if (state === "live" && connected === false) queue.load();
    connected = state === "live";
  },
);
search();
await get("/v1/session").catch(() => {});
live.start();
queue.load();
route();
