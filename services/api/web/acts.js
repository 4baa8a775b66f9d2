// What a person can do to an alert: buttons and forms. Typed text is kept until it has arrived.

import { send } from "./api.js";
import { h } from "./dom.js";
import { exactly } from "./times.js";
import { say, t } from "./words.js";

const HOURS = [1, 4, 24, 72, 168];
const VERDICTS = ["real", "sensor_fault", "legitimate_use", "duplicate", "unknown"];
const drafts = {
  read: (id) => { try { return JSON.parse(sessionStorage.getItem(`draft ${id}`)) ?? {}; } catch { return {}; } },
  write: (id, draft) => { try { sessionStorage.setItem(`draft ${id}`, JSON.stringify(draft)); } catch { /* full or forbidden: the form still holds it */ } },
  drop: (id) => sessionStorage.removeItem(`draft ${id}`),
};

const ACTS = {
  acknowledged: { path: "acknowledge", label: t("acts.acknowledge"), direct: true },
  resolved: { path: "resolve", label: t("acts.close"), fields: closing },
  shelved: { path: "shelve", label: t("acts.hide"), fields: hiding },
  unshelved: { path: "unshelve", label: t("acts.show"), direct: true },
  commented: { path: "comment", label: t("acts.comment"), fields: commenting },
};

export function acts(alert, onChange) {
  const place = h("div", { class: "figure" });
  const wrong = h("p", { class: "wrong", role: "alert", hidden: true });
  const draft = drafts.read(alert.id);

  async function act(name, body, button) {
    wrong.hidden = true;
    const label = button.textContent;
    button.disabled = true;
    button.textContent = t("acts.sending");
    try {
      const changed = await send("POST", `/v1/alerts/${alert.id}/${ACTS[name].path}`, { ...body, expected_version: alert.version });
      drafts.drop(alert.id);
      onChange(changed);
    } catch (problem) {
      button.disabled = false;
      button.textContent = label;
      wrong.textContent = problem.message + (Object.keys(body).length ? ` ${t("acts.kept")}` : "");
      wrong.hidden = false;
      if (problem.body?.current) { alert = { ...alert, ...problem.body.current }; onChange(alert, { keepForm: true }); }
    }
  }

  function unfold(name) {
    draft.open = name;
    drafts.write(alert.id, draft);
    place.replaceChildren(form(name), wrong);
    place.querySelector("input, textarea, select")?.focus();
  }

  function form(name) {
    const { label, fields } = ACTS[name];
    const made = fields(draft);
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

  function buttons() {
    return h("div", { class: "acts", role: "group", "aria-label": t("acts.label") },
      Object.entries(ACTS).filter(([name]) => alert.allowed_changes.includes(name)).map(([name, { label, direct }], index) => {
        const button = h("button", { type: "button", class: index === 0 && name === "acknowledged" ? "primary" : "",
          onclick: () => (direct ? act(name, {}, button) : unfold(name)) }, label);
        return button;
      }));
  }

  place.append(draft.open && alert.allowed_changes.includes(draft.open) ? form(draft.open) : buttons(), wrong);
  return { element: place, editing: () => Boolean(draft.open), update: (newer) => { alert = newer; } };
}

const textarea = (name, label, draft, hint) => h("div", {},
  h("label", { for: `act-${name}` }, label),
  h("textarea", { id: `act-${name}`, name, maxLength: 10000, value: draft[name] ?? "", placeholder: hint ?? "" }));
const value = (form, name) => form.elements[name].value.trim();

function closing(draft) {
  return {
    nodes: [
      h("fieldset", {}, h("legend", {}, t("acts.how")),
        VERDICTS.map((key) => h("label", { class: "pick" },
          h("input", { type: "radio", name: "verdict", value: key, checked: draft.verdict === key }), say("verdicts", key)))),
      textarea("comment", t("acts.found"), draft),
    ],
    keep: (form) => ({ verdict: form.elements.verdict.value, comment: form.elements.comment.value }),
    missing: (form) => (form.elements.verdict.value ? "" : t("acts.choose")),
    body: (form) => ({ verdict: form.elements.verdict.value, ...(value(form, "comment") ? { comment: value(form, "comment") } : {}) }),
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
    body: (form) => ({ until: new Date(Date.now() + form.elements.hours.value * 3600e3).toISOString(), reason: value(form, "reason") }),
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
