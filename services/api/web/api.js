// Talks to the API. A refusal becomes a Problem with a sentence for people; nothing is retried silently. How many answers
// are awaited stands at the document (data-asking).

import { spoken } from "./said.js";
import { heard } from "./server-time.js";
import { knows, say, t } from "./words.js";

export class Problem extends Error {
  constructor(sentence, status, body = {}) {
    super(sentence);
    this.status = status;
    this.body = body;
  }
}

const SENTENCES = {
  0: "errors.no_answer", 401: "errors.signed_out", 403: "errors.forbidden", 404: "errors.not_found", 409: "errors.conflict",
  429: "errors.too_many", 500: "errors.broken", 503: "errors.database",
};

export function sentenceOf(status, body) {
  if (status === 422) {
    if (body.type?.endsWith("change-not-allowed")) return t("errors.no_longer");
    return t("errors.check", { what: [fieldOf(body), whyOf(body, body.allowed ?? body.detail) ?? (body.field ? null : t("errors.entered"))].filter(Boolean).join(": ") });
  }
  const why = whyOf(body);
  return why ? `${why.charAt(0).toUpperCase()}${why.slice(1)}.` : t(SENTENCES[status] ?? SENTENCES[500]);
}

// What the service says of it: from its template, or else in English and so marked.
export function whyOf({ said }, english = null) {
  const told = spoken({ said, sentence: english ?? "" });
  return !said && !english ? null : told.mine ? told.sentence : t("errors.in_english", { words: told.sentence });
}

// The field as its form calls it: a limit of a rule, or one of the few that people fill in.
function fieldOf({ field }) {
  const [name] = String(field ?? "").split(".");
  return !name ? null : knows("limits", name) ? say("limits", name) : say("fields", name);
}

let asking = 0;
const count = (by) => { asking += by; document.documentElement.dataset.asking = String(asking); };

async function ask(...request) {
  count(1);
  try { return await answer(...request); } finally { count(-1); }
}

async function answer(path, options = {}) {
  let response;
  const asked = Date.now();
  try {
    response = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(t(SENTENCES[0]), 0);
  }
  heard(response.headers.get("Date"), asked);
  const text = await response.text();
  let body = {};
  try { body = text ? JSON.parse(text) : {}; } catch { body = {}; }
  if (response.ok) return body;
  if (response.status === 401 && options.sign !== false) toSignIn();
  throw new Problem(sentenceOf(response.status, body), response.status, body);
}

let leaving = false;

export function toSignIn() {
  if (leaving) return;
  leaving = true;
  location.assign(`/login?next=${encodeURIComponent(location.hash)}`);
}

export function get(path, query = {}, options = {}) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== undefined && each !== null && each !== "") search.append(name, each);
    }
  }
  const tail = search.toString();
  return ask(tail ? `${path}?${tail}` : path, options);
}

export const send = (method, path, body, options = {}) =>
  ask(path, {
    method,
    headers: { "Content-Type": "application/json", "X-Citygauge": "console" },
    body: body === undefined ? undefined : JSON.stringify(body),
    ...options,
  });
