// Finds sensors while a person types; arrows and Enter choose.

import { get } from "./api.js";
import { byId, h, later } from "./dom.js";
import { placeOf, say, t } from "./words.js";

export function search() {
  const box = byId("search-box");
  const list = byId("search-results");
  let at = -1;
  let request = null;

  const options = () => [...list.querySelectorAll("[role=option]")];
  const close = () => { list.hidden = true; box.setAttribute("aria-expanded", "false"); box.removeAttribute("aria-activedescendant"); at = -1; };
  const show = (...rows) => { list.replaceChildren(...rows); list.hidden = false; box.setAttribute("aria-expanded", "true"); at = -1; };
  const go = (id) => { close(); box.value = ""; box.blur(); location.hash = `#/sensor/${encodeURIComponent(id)}`; };
  const mark = (index) => {
    const all = options();
    at = (index + all.length) % all.length;
    all.forEach((option, i) => option.setAttribute("aria-selected", String(i === at)));
    box.setAttribute("aria-activedescendant", all[at].id);
    all[at].scrollIntoView({ block: "nearest" });
  };

  const look = later(async () => {
    const text = box.value.trim();
    if (!text) return close();
    request?.abort();
    request = new AbortController();
    try {
      const { items } = await get("/v1/sensors", { q: text, limit: 12 }, { signal: request.signal });
      if (!items.length) return show(h("li", { class: "note" }, t("search.none")));
      show(...items.map((sensor, i) => {
        const row = h("li", { role: "option", id: `found-${i}`, "aria-selected": "false", onmousedown: (event) => { event.preventDefault(); go(sensor.id); } },
          h("b", {}, sensor.name ?? sensor.id), h("span", { class: "soft small" }, [sensor.name ? sensor.id : null, say("kinds", sensor.kind), placeOf({ ...sensor, name: " " }).replace(/^[ ·]+/, "")].filter(Boolean).join(" · ")));
        row.dataset.id = sensor.id;
        return row;
      }));
    } catch (problem) {
      if (problem.name !== "AbortError") show(h("li", { class: "note" }, problem.message));
    }
  }, 180);

  box.addEventListener("input", look);
  box.addEventListener("blur", () => setTimeout(close, 120));
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { close(); box.value = ""; }
    if (list.hidden || !options().length) return;
    if (event.key === "ArrowDown") { event.preventDefault(); mark(at + 1); }
    if (event.key === "ArrowUp") { event.preventDefault(); mark(at - 1); }
    if (event.key === "Enter") { event.preventDefault(); go(options()[Math.max(at, 0)].dataset.id); }
  });
}
