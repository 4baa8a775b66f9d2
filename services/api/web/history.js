// The history of one sensor: from years to single readings by zooming, with its usual band, a week earlier, its alerts, and
// a file of exactly what is seen. What is seen is in the address.

import { keep } from "./address.js";
import { figure } from "./chart.js";
import { h, icon } from "./dom.js";
import { now } from "./server-time.js";
import { failed } from "./states.js";
import { isTotal, pathOf, series, usual } from "./series.js";
import { clock, exactly } from "./times.js";
import { say, t } from "./words.js";

const DAY = 86400e3;
const SPANS = [["day", 1], ["week", 7], ["month", 30], ["year", 365]];
const LEAST = 10 * 60e3;
const BAND_DAYS = 62; // over more than this a band by the hour is a blur
const FORMS = ["csv", "json", "parquet"];

export function history(sensor, { metrics, metric, end, alerts, query }) {
  let shown = { from: Date.parse(query.from) || end - DAY, to: Date.parse(query.to) || end };
  let name = metrics.includes(query.metric) ? query.metric : metric;
  let compare = query.compare === "week";
  let current = null;
  let drawn = null;
  let request = null;
  let table = false;
  const place = h("div", {}, h("div", { class: "ghost plot" }));
  const title = h("h2", { class: metrics.length > 1 ? "unseen" : "" }); // the choice beside it says the same
  const about = h("p", { class: "soft small num", role: "status" });
  const files = h("div", { class: "files" });
  const button = (words, onclick, picture = null) => h("button", { type: "button", class: picture ? "" : "quiet", "aria-label": picture ? words : null, onclick }, picture ? icon(picture, 20) : words);
  const move = (from, to) => {
    const length = Math.max(LEAST, to - from);
    const last = Math.min(to, Math.max(end, shown.to));
    shown = { from: last - length, to: last };
    load();
  };
  const what = h("select", { "aria-label": t("chart.what"), onchange: () => { name = what.value; load(); } }, metrics.map((each) => h("option", { value: each, selected: each === name }, say("metrics", each))));
  const spans = h("div", { class: "switch", role: "group", "aria-label": t("chart.when") }, SPANS.map(([span, days]) => h("button", { type: "button", onclick: () => { shown = { from: end - days * DAY, to: end }; load(); } }, t(`sensor.${span}`))));
  const beside = h("input", { type: "checkbox", checked: compare, onchange: () => { compare = beside.checked; load(); } });
  const asTable = button(t("chart.as_table"), () => { table = !table; draw(); });
  const half = () => (shown.to - shown.from) / 2;
  const tools = h("div", { class: "figure-tools" }, metrics.length > 1 ? what : null, spans,
    button(t("period.before"), () => move(shown.from - half(), shown.to - half()), "back"), button(t("period.after"), () => move(shown.from + half(), shown.to + half()), "forward"),
    button(t("history.closer"), () => move(shown.from + half() / 2, shown.to - half() / 2), "plus"), button(t("history.wider"), () => move(shown.from - half(), shown.to + half()), "minus"),
    h("label", { class: "check" }, beside, t("chart.beside")), asTable);

  async function load() {
    request?.abort();
    request = new AbortController();
    const { signal } = request;
    const { from, to } = shown;
    keep({ from: new Date(from).toISOString(), to: new Date(to).toISOString(), metric: name === metric ? null : name, compare: compare ? "week" : null });
    title.textContent = say("metrics", name);
    for (const [i, [, days]] of SPANS.entries()) spans.children[i].setAttribute("aria-pressed", String(to === end && Math.abs(to - from - days * DAY) < 1000));
    place.setAttribute("aria-busy", "true");
    if (current && drawn === name && !table) current.look(from / 1000, to / 1000); // what is there shows at once where it goes
    try {
      const found = await series(sensor, name, from, to, signal);
      about.textContent = t("history.about", { from: clock(from, sensor.time_zone), to: clock(to, sensor.time_zone), each: found.bucket ? t("history.means", { time: exactly(found.bucket) }) : t("history.every") });
      offer(found);
      paint(found, {});
      drawn = name;
      place.removeAttribute("aria-busy");
      // The band is asked for when the readings stand: neither they nor their query wait for it.
      const more = to - from <= BAND_DAYS * DAY || compare ? await usual(sensor, name, from, to, { compare, signal }).catch(() => ({})) : {};
      if (!signal.aborted && (more.band || more.before)) paint(found, more);
    } catch (problem) {
      if (problem.name === "AbortError") return;
      place.replaceChildren(failed(problem, load));
    } finally { if (!signal.aborted) place.removeAttribute("aria-busy"); }
  }

  function paint(found, { band = null, before = null }) {
    const { from, to } = shown;
    current?.destroy();
    const until = Math.min(to, now());
    current = figure(found, {
      zone: sensor.time_zone, range: [from / 1000, to / 1000], band: found.derived || isTotal(found.metric) || to - from > BAND_DAYS * DAY ? null : band, beside: found.derived ? null : before,
      alerts: alerts.map((alert) => ({ severity: alert.severity, from: Date.parse(alert.started_at) / 1000, to: (alert.cleared_at ? Date.parse(alert.cleared_at) : until) / 1000 })).filter((each) => each.to * 1000 >= from && each.from * 1000 <= to),
      onZoom: (left, right) => { shown = { from: left, to: Math.max(right, left + LEAST) }; load(); },
    });
    draw();
  }

  function draw() {
    asTable.textContent = table ? t("chart.as_chart") : t("chart.as_table");
    if (current) place.replaceChildren(table ? current.table() : current.element);
  }

  function offer({ query: asked, derived }) {
    files.replaceChildren(h("span", { class: "soft small" }, derived ? t("history.file_register") : t("history.file")), ...FORMS.map((form) => {
      const search = new URLSearchParams({ ...asked, format: form, ...(form === "json" ? { limit: "10000" } : {}) });
      return h("a", { href: `${pathOf(sensor.id)}?${search}`, download: `${sensor.id}.${form}` }, form.toUpperCase());
    }));
  }

  load();
  return { element: h("section", { class: "panel", "aria-label": t("chart.readings") }, h("div", { class: "figure-head" }, title, tools), place, h("div", { class: "figure-foot" }, about, files)),
    destroy() { request?.abort(); current?.destroy(); } };
}
