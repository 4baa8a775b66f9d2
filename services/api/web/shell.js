// The frame around the pages: navigation, language and units, help, keys, sign-out.

import { send } from "./api.js";
import { byId, h, icon } from "./dom.js";
import { PAGES, VIEWS } from "./pages.js";
import { CHOICES, prefer, preferences } from "./preferences.js";
import { dress, language, languages, t } from "./words.js";

const rail = byId("rail");
const menu = byId("menu");

export function shell() {
  dress(document);
  menu.append(icon("menu", 22));
  byId("pages").append(h("ul", {}, PAGES.map((page) => {
    const link = h("a", { href: page.name === "now" ? "#/" : `#/${page.name}`, "aria-keyshortcuts": `g ${page.key}` }, icon(page.icon, 20), h("span", {}, t(`nav.${page.name}`)));
    link.dataset.page = page.name;
    return h("li", {}, link);
  })));
  byId("pages").querySelector('[data-page="now"]').append(h("b", { class: "badge", id: "badge", hidden: true }));
  byId("rail-foot").append(
    foot("settings", t("nav.settings"), () => settings()), foot("help", t("nav.help"), () => help()),
    h("a", { href: "/docs" }, icon("docs", 20), h("span", {}, t("nav.docs"))), foot("out", t("nav.out"), signOut));
  menu.addEventListener("click", () => unfold(!document.body.classList.contains("menu-open")));
  byId("pages").addEventListener("click", () => unfold(false));
  addEventListener("keydown", keys);
}

const foot = (name, words, onclick) => h("button", { type: "button", class: "quiet", onclick }, icon(name, 20), h("span", {}, words));

function unfold(open) {
  document.body.classList.toggle("menu-open", open);
  menu.setAttribute("aria-expanded", String(open));
  menu.setAttribute("aria-label", open ? t("nav.close") : t("nav.menu"));
  if (open) rail.querySelector("nav a").focus();
}

export function standOn(name) {
  const page = VIEWS[name]?.page ?? name;
  for (const link of byId("pages").querySelectorAll("a")) {
    if (link.dataset.page === page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  unfold(false);
}

export function badge(count, more = false) {
  const place = byId("badge");
  place.hidden = !count;
  place.textContent = `${count}${more ? "+" : ""}`;
}

async function signOut() {
  try { await send("DELETE", "/v1/session"); } finally { location.assign("/login"); }
}

export function dialog(title, ...content) {
  const close = h("button", { type: "button", class: "quiet", "aria-label": t("help.close"), onclick: () => window_.close() }, icon("close", 20));
  const window_ = h("dialog", { class: "dialog", "aria-labelledby": "dialog-title" }, h("div", { class: "dialog-head" }, h("h2", { id: "dialog-title" }, title), close), ...content);
  window_.addEventListener("close", () => window_.remove());
  window_.addEventListener("click", (event) => { if (event.target === window_) window_.close(); });
  document.body.append(window_);
  window_.showModal();
  return window_;
}

function settings() {
  const choose = (name, options) => h("div", {}, h("label", { for: `prefer-${name}` }, t(`settings.${name}`)),
    h("select", { id: `prefer-${name}`, name }, options.map(([value, words]) => h("option", { value, selected: value === (name === "language" ? language : preferences[name]) }, words))));
  const form = h("form", { class: "choices" }, choose("language", Object.entries(languages)),
    Object.entries(CHOICES).map(([name, values]) => choose(name, values.map((value) => [value, t(`settings.${value}`)]))),
    h("p", { class: "soft small" }, t("settings.kept")), h("div", { class: "acts" }, h("button", { class: "primary", type: "submit" }, t("settings.save"))));
  form.addEventListener("submit", (event) => { event.preventDefault(); prefer(Object.fromEntries(new FormData(form))); });
  dialog(t("settings.title"), form);
}

function help() {
  const row = (keys_, words) => h("div", {}, h("dt", {}, keys_.map((key) => h("kbd", {}, key))), h("dd", {}, words));
  dialog(t("help.title"), h("p", { class: "soft" }, t("help.intro")), h("dl", { class: "keys" },
    row(["/"], t("help.search")), row(["j"], t("help.next")), row(["k"], t("help.before")), row(["o"], t("help.open")), row(["a"], t("help.take")),
    row(["x"], t("help.choose")), row(["."], t("help.fresh")), PAGES.map((page) => row(["g", page.key], t("help.to", { page: t(`nav.${page.name}`) }))),
    row(["?"], t("help.help")), row(["Esc"], t("help.leave"))));
}

let going = -Infinity;
let ofPage = () => null;
export const onKey = (find) => { ofPage = find; };
const typing = (element) => element?.closest?.("input, textarea, select, dialog, [contenteditable]");

// Single keys, where the reader wants them; they never take a key from a field or with a modifier. `a`, `j` … are the list's.
function keys(event) {
  if (event.key === "Escape") {
    if (document.body.classList.contains("menu-open")) { unfold(false); menu.focus(); }
    else if (typing(document.activeElement)) document.activeElement.blur();
    return;
  }
  if (preferences.keys === "off" || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  const page = event.timeStamp - going < 1500 && PAGES.find((each) => each.key === event.key);
  going = event.key === "g" ? event.timeStamp : -Infinity;
  if (page) { event.preventDefault(); location.hash = page.name === "now" ? "#/" : `#/${page.name}`; event.stopImmediatePropagation(); }
  else if (event.key === "/") { event.preventDefault(); byId("search-box").focus(); }
  else if (event.key === "?") { event.preventDefault(); help(); }
  else {
    const act = ofPage(event.key);
    if (act) { event.preventDefault(); act(); }
  }
}
