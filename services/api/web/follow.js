// Looks again every so often, so that a page which stays open on a wall stays true; where it cannot, it says of when it is.

import { h } from "./dom.js";
import { now } from "./server-time.js";
import { utc } from "./times.js";
import { t } from "./words.js";

const EVERY_MS = 30_000;

// again: asks and shows what is new. Returns {note: where it says that it is stale, stop}.
export function follow(again) {
  const note = h("p", { class: "soft small", role: "status", hidden: true });
  let at = now();
  const timer = setInterval(async () => {
    if (document.hidden) return;
    try {
      await again();
      at = now();
      note.hidden = true;
    } catch {
      note.textContent = t("states_page.stale", { time: utc(at) });
      note.hidden = false;
    }
  }, EVERY_MS);
  return { note, stop: () => clearInterval(timer) };
}
