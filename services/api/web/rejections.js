// Reads rejected messages again, or puts them aside: asked once, told what came of it; a reason's messages by portions.

import { send } from "./api.js";
import { h } from "./dom.js";
import { dialog } from "./shell.js";
import { number, say, t } from "./words.js";

const COUNTS = ["replayed", "stored", "duplicate", "stay", "cut"];

// name: "replay" or "discard"; which: {ids} or {reason}; about: which ones, in words; `done(sentence)` when it is over.
export function act(name, which, about, done) {
  const wrong = h("p", { class: "wrong", role: "alert", hidden: true });
  const told = h("p", { class: "soft small", role: "status" });
  const go = h("button", { class: "primary", type: "submit" }, t(`rejections.${name}`));
  const form = h("form", { class: "form", novalidate: true }, h("p", {}, h("b", {}, about)), h("p", { class: "soft" }, t(`rejections.${name}_how`)), told, wrong,
    h("div", { class: "acts" }, go, h("button", { type: "button", onclick: () => window_.close() }, t("acts.cancel"))));
  const window_ = dialog(t(`rejections.${name}_sure`), form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    wrong.hidden = true;
    try {
      const sentence = await run(name, which, (far) => { told.textContent = far; }, () => window_.open);
      window_.close();
      done(sentence);
    } catch (problem) {
      wrong.textContent = problem.message;
      wrong.hidden = false;
      go.disabled = false;
    }
  });
}

async function run(name, which, tell, wanted) {
  if (name === "discard") return t("rejections.discarded", { count: (await send("POST", "/v1/rejected/discard", which)).discarded });
  const sum = { ...Object.fromEntries(COUNTS.map((count) => [count, 0])), reasons: {} };
  let after = 0;
  do {
    const part = await send("POST", "/v1/rejected/replay", after ? { ...which, after } : which);
    for (const count of COUNTS) sum[count] += part[count];
    for (const [reason, count] of Object.entries(part.reasons)) sum.reasons[reason] = (sum.reasons[reason] ?? 0) + count;
    after = part.next;
    tell(sentenceOf(sum));
  } while (after !== null && wanted()); // closing the window stops between two portions
  return sentenceOf(sum);
}

function sentenceOf(sum) {
  const parts = [t("rejections.replayed", { count: sum.replayed, stored: sum.stored, duplicate: sum.duplicate })];
  if (sum.stay) parts.push(`${t("rejections.stay", { count: sum.stay })} ${Object.entries(sum.reasons).map(([reason, count]) => `${say("reasons", reason)} (${number(count)})`).join(", ")}.`);
  if (sum.cut) parts.push(t("rejections.cut", { count: sum.cut }));
  return parts.join(" ");
}
