// Talks to the API. A refusal becomes a Problem with a sentence for people; nothing is retried silently.

export class Problem extends Error {
  constructor(sentence, status, body = {}) {
    super(sentence);
    this.status = status;
    this.body = body;
  }
}

const SENTENCES = {
  0: "The service does not answer. Check the connection and try again.",
  401: "You are no longer signed in.",
  403: "Your key does not allow this. Ask an administrator for a key that may operate alerts.",
  404: "This does not exist, or no longer.",
  409: "A colleague changed this at the same time. You see the newer state now; please look and try again.",
  429: "Too many requests at once. Please wait a moment and try again.",
  500: "Something went wrong in the service. Please try again; if it happens again, tell an administrator.",
  503: "The database does not answer just now. Please try again in a moment.",
};

function sentenceOf(status, body) {
  if (status === 422) {
    const field = body.field ? `${String(body.field).replaceAll("_", " ")}: ` : "";
    return body.type?.endsWith("change-not-allowed")
      ? "This is no longer possible: the alert has changed meanwhile."
      : `Please check ${field}${body.allowed ?? body.detail ?? "what you entered"}.`;
  }
  return SENTENCES[status] ?? body.detail ?? SENTENCES[500];
}

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(SENTENCES[0], 0);
  }
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
