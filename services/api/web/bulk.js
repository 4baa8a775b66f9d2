// What can be done with several chosen alerts at once; a bar at the foot of the list while any is chosen.

import { fieldsOf, labelOf } from "./acts.js";
import { byId, h } from "./dom.js";
import { dialog } from "./shell.js";
import { t } from "./words.js";

const ACTS = ["acknowledged", "assigned", "shelved", "resolved"];

export function bulk(queue) {
  const bar = byId("bulk");
  const about = h("b", { role: "status" });
  const wrong = h("p", { class: "wrong", role: "alert", hidden: true });
  const buttons = ACTS.map((name) => h("button", { type: "button", class: name === "acknowledged" ? "primary" : "", onclick: () => begin(name) }, labelOf(name)));
  const clear = h("button", { type: "button", class: "quiet", onclick: () => { queue.picked.clear(); queue.settle(); } }, t("now.clear"));
  bar.append(about, h("div", { class: "acts" }, buttons, clear), wrong);

  const chosen = (name) => [...queue.picked].map((id) => queue.cases.get(id)).filter((alert) => alert?.allowed_changes.includes(name));

  async function run(name, facts) {
    const alerts = chosen(name);
    wrong.hidden = true;
    const refused = await queue.act(name, alerts, facts);
    const failed = new Set(refused.map(([id]) => id));
    for (const id of [...queue.picked]) if (!failed.has(id)) queue.picked.delete(id);
    wrong.textContent = refused.length ? `${t("now.refused", { count: refused.length })} ${refused[0][1]}` : "";
    wrong.hidden = !refused.length;
    if (queue.picked.size) queue.draw(); else queue.settle();
    return refused;
  }

  function begin(name) {
    const fields = fieldsOf(name);
    if (!fields) { run(name, {}); return; }
    const made = fields({});
    const missing = h("p", { class: "wrong", role: "alert", hidden: true });
    const form = h("form", { class: "form", novalidate: true }, h("p", { class: "soft" }, t("now.chosen", { count: chosen(name).length })), made.nodes, missing,
      h("div", { class: "acts" }, h("button", { class: "primary", type: "submit" }, labelOf(name)), h("button", { type: "button", onclick: () => window_.close() }, t("acts.cancel"))));
    const window_ = dialog(labelOf(name), form);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      missing.textContent = made.missing(form);
      missing.hidden = !missing.textContent;
      if (missing.textContent) return;
      const refused = await run(name, made.body(form));
      if (!refused.length) { window_.close(); return; }
      missing.textContent = `${t("now.refused", { count: refused.length })} ${refused[0][1]} ${t("acts.kept")}`;
      missing.hidden = false;
    });
  }

  return {
    draw() {
      bar.hidden = !queue.picked.size;
      about.textContent = queue.picked.size ? t("now.chosen", { count: queue.picked.size }) : "";
      buttons.forEach((button, i) => { button.disabled = !chosen(ACTS[i]).length; });
    },
  };
}
