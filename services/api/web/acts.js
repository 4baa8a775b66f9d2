// What a person can do to an alert: buttons and forms. Typed text is kept until it has arrived.

import { change } from "./changes.js";
import { h } from "./dom.js";
import { me } from "./me.js";
import { now } from "./server-time.js";
import { exactly } from "./times.js";
import { say, t } from "./words.js";

const HOURS = [1, 4, 24, 72, 168];
const VERDICTS = ["real", "sensor_fault", "legitimate_use", "duplicate", "unknown"];
const WORKS = ["new", "investigating", "crew_sent", "repaired"];
const drafts = {
  read: (id) => { try { return JSON.parse(sessionStorage.getItem(`draft ${id}`)) ?? {}; } catch { return {}; } },
  write: (id, draft) => { try { sessionStorage.setItem(`draft ${id}`, JSON.stringify(draft)); } catch { /* full or forbidden: the form still holds it */ } },
  drop: (id) => sessionStorage.removeItem(`draft ${id}`),
};

const ACTS = {
  acknowledged: { label: () => t("acts.acknowledge") },
  assigned: { label: () => t("acts.assign"), fields: assigning },
  progressed: { label: () => t("acts.progress"), fields: progressing },
  resolved: { label: () => t("acts.close"), fields: closing },
  shelved: { label: () => t("acts.hide"), fields: hiding },
  unshelved: { label: () => t("acts.show") },
  commented: { label: () => t("acts.comment"), fields: commenting },
};

export const labelOf = (name) => ACTS[name].label();
export const fieldsOf = (name) => ACTS[name].fields;

export function acts(alert, onChange) {
  const place = h("div", { class: "figure" });
  const wrong = h("p", { class: "wrong", role: "alert", hidden: true });
  const draft = drafts.read(alert.id);

  async function act(name, body, button) {
    wrong.hidden = true;
    const label = button.textContent;
    button.disabled = true;
    button.textContent = t("acts.sending");
    const refused = (_, why, current) => {
      button.disabled = false;
      button.textContent = label;
      wrong.textContent = why + (Object.keys(body).length ? ` ${t("acts.kept")}` : "");
      wrong.hidden = false;
      if (current) { alert = { ...alert, ...current }; onChange(alert, { keepForm: true }); }
    };
    try {
      await change(name, [alert], body, (changed) => {
        const { open } = drafts.read(alert.id);
        const other = Boolean(open) && open !== name; // a form that was opened meanwhile stays, with what is typed in it
        if (!other) drafts.drop(alert.id);
        onChange(changed, { keepForm: other });
      }, refused);
    } catch (problem) { refused(alert.id, problem.message); }
  }

  function unfold(name) {
    draft.open = name;
    drafts.write(alert.id, draft);
    place.replaceChildren(form(name), wrong);
    place.querySelector("input, textarea, select")?.focus();
  }

  function form(name) {
    const label = labelOf(name);
    const made = ACTS[name].fields(draft, alert);
    const submit = h("button", { class: "primary", type: "submit" }, label);
    const element = h("form", { class: "form", novalidate: true, "aria-label": label }, ...made.nodes,
      h("div", { class: "acts" }, submit, h("button", { type: "button", onclick: fold }, t("acts.cancel"))));
    element.addEventListener("input", () => { Object.assign(draft, made.keep(element)); drafts.write(alert.id, draft); });
    element.addEventListener("submit", (event) => {
      event.preventDefault();
      const missing = made.missing(element);
      wrong.textContent = missing;
      wrong.hidden = !missing;
      if (!missing) act(name, made.body(element), submit);
    });
    return element;
  }

  function fold() {
    draft.open = null;
    drafts.write(alert.id, draft);
    place.replaceChildren(buttons(), wrong);
    wrong.hidden = true;
  }

  const buttons = () => h("div", { class: "acts", role: "group", "aria-label": t("acts.label") },
    Object.entries(ACTS).filter(([name]) => alert.allowed_changes.includes(name)).map(([name, { fields }], index) => {
      const button = h("button", { type: "button", class: index === 0 && name === "acknowledged" ? "primary" : "", onclick: () => (fields ? unfold(name) : act(name, {}, button)) }, labelOf(name));
      return button;
    }));

  place.append(draft.open && alert.allowed_changes.includes(draft.open) ? form(draft.open) : buttons(), wrong);
  return { element: place, editing: () => Boolean(draft.open), update: (newer) => { alert = newer; } };
}

const textarea = (name, label, draft, hint) => h("div", {},
  h("label", { for: `act-${name}` }, label),
  h("textarea", { id: `act-${name}`, name, maxLength: 10000, dir: "auto", value: draft[name] ?? "", placeholder: hint ?? "" }));
const value = (form, name) => form.elements[name].value.trim();
const comment = (form, name) => (value(form, name) ? { comment: value(form, name) } : {});
const picks = (legend, name, options, chosen) => h("fieldset", {}, h("legend", {}, legend),
  options.map(([key, label]) => h("label", { class: "pick" }, h("input", { type: "radio", name, value: key, checked: chosen === key }), label)));

function closing(draft) {
  return {
    nodes: [picks(t("acts.how"), "verdict", VERDICTS.map((key) => [key, say("verdicts", key)]), draft.verdict), textarea("comment", t("acts.found"), draft)],
    keep: (form) => ({ verdict: form.elements.verdict.value, comment: form.elements.comment.value }),
    missing: (form) => (form.elements.verdict.value ? "" : t("acts.choose")),
    body: (form) => ({ verdict: form.elements.verdict.value, ...comment(form, "comment") }),
  };
}

function hiding(draft) {
  return {
    nodes: [
      h("div", {}, h("label", { for: "act-hours" }, t("acts.how_long")),
        h("select", { id: "act-hours", name: "hours" }, HOURS.map((hours) => h("option", { value: String(hours), selected: (draft.hours ?? "4") === String(hours) }, exactly(hours * 3600))))),
      textarea("reason", t("acts.why"), draft, t("acts.why_hint")),
    ],
    keep: (form) => ({ hours: form.elements.hours.value, reason: form.elements.reason.value }),
    missing: (form) => (value(form, "reason") ? "" : t("acts.say_why")),
    body: (form) => ({ until: new Date(now() + form.elements.hours.value * 3600e3).toISOString(), reason: value(form, "reason") }),
  };
}

function assigning(draft, alert = {}) {
  const box = h("input", { id: "act-assignee", name: "assignee", maxLength: 200, autocomplete: "off", value: draft.assignee ?? alert.assignee ?? "" });
  const mine = h("button", { type: "button", class: "quiet", onclick: () => { box.value = me.name; box.dispatchEvent(new Event("input", { bubbles: true })); } }, t("acts.me"));
  return {
    nodes: [h("div", {}, h("label", { for: "act-assignee" }, t("acts.who")), h("div", { class: "with" }, box, mine)), textarea("brief", t("acts.brief"), draft)],
    keep: (form) => ({ assignee: form.elements.assignee.value, brief: form.elements.brief.value }),
    missing: (form) => (value(form, "assignee") || alert.assignee ? "" : t("acts.say_who")),
    body: (form) => ({ assignee: value(form, "assignee") || null, ...comment(form, "brief") }),
  };
}

function progressing(draft, alert = {}) {
  return {
    nodes: [picks(t("acts.how_far"), "work", WORKS.filter((key) => key !== alert.work).map((key) => [key, say("works", key)]), draft.work), textarea("done", t("acts.done"), draft)],
    keep: (form) => ({ work: form.elements.work.value, done: form.elements.done.value }),
    missing: (form) => (form.elements.work.value ? "" : t("acts.choose_work")),
    body: (form) => ({ work: form.elements.work.value, ...comment(form, "done") }),
  };
}

function commenting(draft) {
  return {
    nodes: [textarea("note", t("acts.your_comment"), draft)],
    keep: (form) => ({ note: form.elements.note.value }),
    missing: (form) => (value(form, "note") ? "" : t("acts.write_first")),
    body: (form) => ({ comment: value(form, "note") }),
  };
}
