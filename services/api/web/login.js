// Signs the console in with a key. The key is sent once and kept nowhere.

import { Problem, send } from "./api.js";
import { byId } from "./dom.js";
import { dress, t } from "./words.js";

const form = byId("form");
const key = byId("key");
const wrong = byId("wrong");
dress(document);
document.title = `${t("login.title")} · Citygauge`;
const next = new URLSearchParams(location.search);

if (next.has("used")) byId("why").textContent = t("login.used");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  wrong.hidden = true;
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    await send("POST", "/v1/session", { key: key.value.trim() }, { sign: false });
    const hash = next.get("next") ?? "";
    location.assign(`/${hash.startsWith("#") ? hash : ""}`);
  } catch (problem) {
    const refused = problem instanceof Problem && (problem.status === 401 || problem.status === 422);
    wrong.textContent = refused ? t("login.refused") : problem.message;
    wrong.hidden = false;
    key.focus();
    key.select();
  } finally {
    button.disabled = false;
  }
});
key.focus();
form.querySelector("button").disabled = false; // until here a click would have sent the form by itself
