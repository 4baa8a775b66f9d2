// One alert of the list, or one event of several: urgency, place, sentence, first action, and what can be done at once.

import { h, icon } from "./dom.js";
import { spoken } from "./said.js";
import { now } from "./server-time.js";
import { sparkline } from "./sparkline.js";
import { ago, clock, stamp } from "./times.js";
import { placeOf, say, stateOf, t } from "./words.js";

export function inside(alert, { event, unfolded, chosen, wrong, on }) {
  const zone = alert.place?.time_zone ?? "UTC";
  const done = !alert.active || alert.state === "resolved";
  const rest = event?.rest ?? [];
  const { sentence, first, lang } = spoken(alert);
  const severity = say("severities", alert.severity);
  const link = part("open", h("a", { href: `#/alert/${alert.id}` }, say("rules", alert.rule)));
  const box = part("choose", h("input", { type: "checkbox", checked: chosen, "aria-label": t("now.choose", { rule: say("rules", alert.rule), place: placeOf(alert) }), onchange: () => on.choose(alert, rest) }));
  const waiting = [alert, ...rest].filter((each) => each.allowed_changes.includes("acknowledged") && each.state !== "acknowledged");
  return [
    h("div", { class: "card-side" }, icon(done ? "good" : alert.severity), h("label", { class: "card-box" }, box)),
    h("div", { class: "card-body" },
      h("div", { class: "card-top" },
        h("span", { class: "small tone" }, h("b", {}, done ? t("states.was", { severity: severity.toLowerCase() }) : severity)),
        h("span", { class: "age" }, t("now.since", { time: "" }), stamp(alert.started_at, zone), new Date(alert.started_at) < now() ? ` · ${ago(alert.started_at)}` : "")),
      h("h2", { class: "card-title" }, link),
      h("p", { class: "card-place" }, placeOf(alert)),
      h("p", { class: "card-sentence", lang }, sentence),
      first && !done ? h("p", { class: "card-first", lang }, icon("go", 16), h("span", {}, first)) : null,
      done ? null : sparkline(alert),
      h("div", { class: "card-foot" },
        h("span", { class: "chips" }, h("span", { class: "chip" }, stateOf(alert, (value) => clock(value, zone))),
          alert.assignee ? h("span", { class: "chip" }, t("now.for", { name: alert.assignee })) : null,
          alert.work && alert.work !== "new" ? h("span", { class: "chip info" }, say("works", alert.work)) : null),
        h("span", { class: "card-acts" }, rest.length ? others(rest, event, unfolded, on) : null, waiting.length ? quick(alert, waiting, on) : null)),
      wrong ? h("p", { class: "wrong card-wrong", role: "alert" }, wrong) : null),
  ];
}

const part = (name, element) => { element.dataset.part = name; return element; };

function others(rest, event, unfolded, on) {
  const label = unfolded ? t("now.fold_all") : event.flood ? t("now.unfold_flood", { count: rest.length }) : t("now.unfold_all", { count: rest.length });
  return part("unfold", h("button", { type: "button", class: "quiet", "aria-expanded": String(unfolded), "aria-label": label, onclick: () => on.unfold(event) },
    unfolded ? t("now.fold") : t("now.unfold", { count: rest.length })));
}

function quick(alert, waiting, on) {
  const words = waiting.length > 1 ? t("now.acknowledge_all", { count: waiting.length }) : t("now.acknowledge");
  return part("acknowledge", h("button", { type: "button", "aria-label": `${words}: ${placeOf(alert)}`, onclick: () => on.acknowledge(alert, waiting) }, words));
}
