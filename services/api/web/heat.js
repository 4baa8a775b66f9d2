// A calendar of sensors and days: a cell says how much of what was due came (or was valid, or in time), with its number.

import { address } from "./address.js";
import { h } from "./dom.js";
import { format } from "./times.js";
import { number, share, t } from "./words.js";

const STEPS = [0.999, 0.95, 0.75, 0.25, 0.000001]; // from whole to nearly nothing; the sixth is nothing at all

const level = (part) => (part === null ? "unknown" : `l${STEPS.findIndex((step) => part >= step) < 0 ? 5 : STEPS.findIndex((step) => part >= step)}`);

// The share that a cell stands for; null where nothing can be said.
function partOf(item, i, measure) {
  const [due, got] = [item.expected[i], item.received[i]];
  if (measure === "complete") return due === null ? null : due === 0 ? null : Math.min(1, got / due);
  return got ? item[measure][i] / got : null;
}

export function heat(page, measure) {
  const dates = page.days.map((day) => new Date(`${day}T12:00:00Z`));
  const short = format("UTC", { day: "numeric" });
  const long = format("UTC", { weekday: "long", day: "numeric", month: "long", year: "numeric" });
  const month = format("UTC", { month: "short" });
  const about = h("p", { class: "soft small", role: "status", "aria-live": "polite" }, t("quality.hover"));
  const say = (item, i) => {
    const part = partOf(item, i, measure);
    return t("quality.cell", { sensor: item.name ?? item.sensor_id, day: long.format(dates[i]), share: share(part, 1), received: number(item.received[i]), due: item.expected[i] === null ? "–" : number(item.expected[i]) });
  };
  const table = h("table", { class: "heat" }, h("caption", { class: "unseen" }, t(`quality.${measure}`)),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("sensors.name")), dates.map((date, i) => h("th", { scope: "col", title: long.format(date) },
      h("span", { class: "month" }, i === 0 || date.getUTCDate() === 1 ? month.format(date) : ""), short.format(date))), h("th", { scope: "col", class: "num" }, t("quality.whole")))),
    h("tbody", {}, page.items.map((item) => {
      const parts = page.days.map((_, i) => partOf(item, i, measure));
      const known = parts.filter((part) => part !== null);
      const row = h("tr", {}, h("th", { scope: "row" }, h("a", { href: address("sensor", item.sensor_id) }, item.name ?? item.sensor_id)),
        parts.map((part) => h("td", { class: level(part) }, h("span", { class: "unseen" }, share(part)))),
        h("td", { class: "num" }, known.length ? share(known.reduce((sum, part) => sum + part, 0) / known.length, 1) : "–"));
      row.addEventListener("pointerover", ({ target }) => {
        const cell = target.closest("td");
        if (cell && cell.cellIndex <= page.days.length) about.textContent = say(item, cell.cellIndex - 1);
      });
      return row;
    })));
  return h("section", { class: "panel" }, h("h2", {}, t(`quality.${measure}_title`)),
    h("ul", { class: "heat-key" }, ["l0", "l1", "l2", "l3", "l4", "l5", "unknown"].map((name) => h("li", {}, h("i", { class: name }), t(`quality.${name}`)))),
    h("div", { class: "heat-wrap", tabIndex: 0, role: "region", "aria-label": t(`quality.${measure}`) }, table), about);
}
