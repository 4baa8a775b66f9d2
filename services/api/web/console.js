// Starts the console and turns addresses (#/alert/…, #/sensor/…, #/map) into views.

import { get } from "./api.js";
import { here } from "./address.js";
import { Case } from "./case.js";
import { Cases } from "./cases.js";
import { byId, h } from "./dom.js";
import { Live } from "./live.js";
import { meet } from "./me.js";
import { PAGES, VIEWS } from "./pages.js";
import { Pulse } from "./pulse.js";
import { Queue } from "./queue.js";
import { search } from "./search.js";
import { onKey, shell, standOn } from "./shell.js";
import { failed, loading, start } from "./states.js";
import { t } from "./words.js";

shell();
const cases = new Cases();
const queue = new Queue(cases);
let view = null;

async function route() {
  const { name, id, query } = here();
  const at = location.hash || "#/";
  view?.destroy?.();
  const mine = (view = {});
  const page = PAGES.find((each) => each.name === name && each.load) ?? (id ? VIEWS[name] : null);
  delete document.body.dataset.shown;
  standOn(name);
  const onBoard = !page?.load;
  byId("board").hidden = !onBoard;
  byId("page").hidden = onBoard;
  queue.choose(name === "alert" ? id : "");
  byId("board").dataset.view = name === "alert" && id ? "open" : "";
  const place = byId(onBoard ? "view" : "page");
  if (onBoard && !(name === "alert" && id)) {
    place.replaceChildren();
    queue.draw();
    const { items } = await get("/v1/sensors", { limit: 1 }).catch(() => ({ items: [null] }));
    if (view === mine && !items.length && !cases.listed("all").length) { byId("board").dataset.view = "start"; place.replaceChildren(start()); }
    if (view === mine) document.body.dataset.shown = at;
    return;
  }
  place.replaceChildren(loading());
  place.scrollTop = 0;
  if (!onBoard || matchMedia("(max-width: 900px)").matches) scrollTo(0, 0);
  try {
    const Page = onBoard ? Case : (await page.load()).default;
    if (view !== mine) return;
    const made = new Page({ id, query, cases });
    mine.destroy = () => made.destroy?.();
    place.replaceChildren(made.element);
    await made.show();
    if (view === mine) arrive(made.element);
  } catch (problem) {
    if (view !== mine) return;
    if (problem.status === undefined) console.warn(problem);
    place.querySelector(".ghost, .loading")?.remove();
    if (!onBoard && !place.querySelector("h1")) place.append(h("h1", { class: "unseen", tabIndex: -1 }, t(`nav.${VIEWS[name]?.page ?? name}`)));
    place.append(failed(problem, route));
  }
  queue.draw();
  if (view === mine) document.body.dataset.shown = at;
}

// The heading takes the focus of a person who came by a link; nobody's who is typing or choosing.
function arrive(element) {
  const at = document.activeElement;
  if (at === document.body || at?.dataset.part === "open" || at?.dataset.page || !at?.isConnected) {
    element.querySelector(':is(h1, h2)[tabindex="-1"]')?.focus({ preventScroll: true });
  }
}

// The keys of the list: they act on the card that has the focus, or on the one that is read.
const KEYS = { j: () => queue.step(1), k: () => queue.step(-1), o: () => queue.press("open"), a: () => queue.press("acknowledge"), x: () => queue.press("choose"), ".": () => queue.settle() };
onKey((key) => !byId("board").hidden && KEYS[key]);

addEventListener("hashchange", () => { if (location.hash !== "#main") route(); });

const pulse = new Pulse();
let connected = false;
let heard;
const stream = new Promise((resolve) => { heard = resolve; });
const live = new Live(
  ({ alert }) => cases.take(alert, true),
  (state) => {
    pulse.connection(state);
    heard(state === "live" && !connected ? queue.load() : null);
    connected = state === "live";
  },
  () => queue.load(),
);
search();
await meet();
live.start();
// From then on keys, clicks and what happens live are answered; a program that drives the page waits for it.
await Promise.all([queue.load(), view ?? route(), stream]);
document.documentElement.dataset.ready = "";
