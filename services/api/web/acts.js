// What a person can do to an alert: buttons and forms. Typed text is kept until it has arrived.

import { send } from "./api.js";
import { h } from "./dom.js";
import { VERDICTS, WORDS } from "./words.js";

const HOURS = [["1", "1 hour"], ["4", "4 hours"], ["24", "1 day"], ["72", "3 days"], ["168", "1 week"]];
const drafts = {
  read: (id) => { try { return JSON.parse(sessionStorage.getItem(`draft ${id}`)) ?? {}; } catch { return {}; } },
  write: (id, draft) => { try { sessionStorage.setItem(`draft ${id}`, JSON.stringify(draft)); } catch { /* full or forbidden: the form still holds it */ } },
  drop: (id) => sessionStorage.removeItem(`draft ${id}`),
};

const ACTS = {
  acknowledged: { path: "acknowledge", label: WORDS.acknowledge, direct: true },
  resolved: { path: "resolve", label: WORDS.close, fields: closing },
  shelved: { path: "shelve", label: WORDS.hide, fields: hiding },
  unshelved: { path: "unshelve", label: WORDS.show, direct: true },
  commented: { path: "comment", label: WORDS.comment, fields: commenting },
};

export function acts(alert, onChange) {
  const place = h("div", { class: "figure" });
  const wrong = h("p", { class: "wrong", role: "alert", hidden: true });
  const draft = drafts.read(alert.id);

  async function act(name, body, button) {
    wrong.hidden = true;
    const label = button.textContent;
    button.disabled = true;
    button.textContent = WORDS.sending;
    try {
      const changed = await send("POST", `/v1/alerts/${alert.id}/${ACTS[name].path}`, { ...body, expected_version: alert.version });
      drafts.drop(alert.id);
      onChange(changed);
    } catch (problem) {
      button.disabled = false;
      button.textContent = label;
      wrong.textContent = problem.message + (Object.keys(body).length ? ` ${WORDS.typedKept}` : "");
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
      h("div", { class: "acts" }, submit, h("button", { type: "button", onclick: fold }, WORDS.cancel)));
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
    return h("div", { class: "acts", role: "group", "aria-label": "What you can do" },
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
      h("fieldset", {}, h("legend", {}, "How did it end?"),
        Object.entries(VERDICTS).map(([key, label]) => h("label", { class: "pick" },
          h("input", { type: "radio", name: "verdict", value: key, checked: draft.verdict === key }), label))),
      textarea("comment", "What did you find? (optional)", draft),
    ],
    keep: (form) => ({ verdict: form.elements.verdict.value, comment: form.elements.comment.value }),
    missing: (form) => (form.elements.verdict.value ? "" : "Please choose how it ended."),
    body: (form) => ({ verdict: form.elements.verdict.value, ...(value(form, "comment") ? { comment: value(form, "comment") } : {}) }),
  };
}

function hiding(draft) {
  return {
    nodes: [
      h("div", {}, h("label", { for: "act-hours" }, "For how long?"),
        h("select", { id: "act-hours", name: "hours" }, HOURS.map(([key, label]) => h("option", { value: key, selected: (draft.hours ?? "4") === key }, label)))),
      textarea("reason", "Why?", draft, "Road works until Friday, for example"),
    ],
    keep: (form) => ({ hours: form.elements.hours.value, reason: form.elements.reason.value }),
    missing: (form) => (value(form, "reason") ? "" : "Please say why, for your colleagues."),
    body: (form) => ({ until: new Date(Date.now() + form.elements.hours.value * 3600e3).toISOString(), reason: value(form, "reason") }),
  };
}

function commenting(draft) {
  return {
    nodes: [textarea("note", "Your comment", draft)],
    keep: (form) => ({ note: form.elements.note.value }),
    missing: (form) => (value(form, "note") ? "" : "Please write something first."),
    body: (form) => ({ comment: value(form, "note") }),
  };
}
