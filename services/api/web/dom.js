// Builds elements. Text always goes in as text: there is no way here to put markup in.

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  critical: ["M8 2.6h8L21.4 8v8L16 21.4H8L2.6 16V8z", "M12 7.5v5.5", "M12 16.6v.1"],
  warning: ["M12 3.2 22 20.4H2z", "M12 9.6v4.6", "M12 17.3v.1"],
  info: ["M12 2.8a9.2 9.2 0 1 0 .01 0z", "M12 11v5.4", "M12 7.6v.1"],
  good: ["M12 2.8a9.2 9.2 0 1 0 .01 0z", "M8 12.4l2.8 2.8 5.4-6"],
  plus: ["M12 5.5v13", "M5.5 12h13"],
  minus: ["M5.5 12h13"],
  forward: ["M9 5l7 7-7 7"],
  back: ["M15 5l-7 7 7 7"],
  gauge: ["M5 18a9 9 0 1 1 14 0", "M12 13l4-5"],
  go: ["M5 12h13", "M13 7l5 5-5 5"],
  menu: ["M4 6.5h16", "M4 12h16", "M4 17.5h16"],
  close: ["M6 6l12 12", "M18 6L6 18"],
  now: ["M6 17v-6a6 6 0 1 1 12 0v6l1.6 2H4.4z", "M10 21.4h4"],
  map: ["M9 4.2 3.5 6.5v13L9 17.2l6 2.6 5.5-2.3v-13L15 6.8z", "M9 4.2v13", "M15 6.8v13"],
  road: ["M7.5 3.5 4 20.5", "M16.5 3.5 20 20.5", "M12 4v3", "M12 10.5v3", "M12 17v3"],
  zone: ["M12 3.4s6 6.2 6 10.6a6 6 0 0 1-12 0c0-4.4 6-10.6 6-10.6z", "M9 14.4a3 3 0 0 0 3 3"],
  sensor: ["M12 10.6a1.4 1.4 0 1 0 .01 0z", "M8 8a5.7 5.7 0 0 0 0 8", "M16 8a5.7 5.7 0 0 1 0 8", "M5 5a9.9 9.9 0 0 0 0 14", "M19 5a9.9 9.9 0 0 1 0 14"],
  quality: ["M4 5h16v15H4z", "M4 10h16", "M8 3v4", "M16 3v4", "M8.5 15l2.4 2.2 4.4-4.4"],
  performance: ["M4 20V4", "M4 20h16", "M8.5 16v-4", "M13 16V8", "M17.5 16v-6"],
  rules: ["M4 7h9", "M19 7h1", "M16 4.7a2.3 2.3 0 1 0 .01 0z", "M4 17h1", "M11 17h9", "M8 14.7a2.3 2.3 0 1 0 .01 0z"],
  expect: ["M4 6h16v14H4z", "M4 10.5h16", "M8 3.5v4", "M16 3.5v4", "M9.5 13.5h5", "M9.5 16.5h5"],
  messages: ["M3.5 5.5h17v13h-17z", "M3.5 6.5 12 13l8.5-6.5"],
  settings: ["M12 3a9 9 0 1 0 .01 0z", "M3.4 12h17.2", "M12 3c-5 5-5 13 0 18", "M12 3c5 5 5 13 0 18"],
  help: ["M3 6.5h18v11H3z", "M6.5 10h.01", "M10 10h.01", "M14 10h.01", "M17.5 10h.01", "M8 14h8"],
  docs: ["M8.5 7 4 12l4.5 5", "M15.5 7 20 12l-4.5 5"],
  out: ["M14 4h5v16h-5", "M10 8l-4 4 4 4", "M6 12h9"],
};

export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name in element && name !== "list" && name !== "form") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function icon(name, size = 22) {
  const svg = document.createElementNS(SVG, "svg");
  const attributes = { viewBox: "0 0 24 24", width: size, height: size, fill: "none", stroke: "currentColor",
    "stroke-width": 2, "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true", class: "glyph" };
  for (const [key, value] of Object.entries(attributes)) svg.setAttribute(key, value);
  svg.style.width = svg.style.height = `${size / 10}rem`;
  for (const d of ICONS[name] ?? []) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

// An amount with its unit small: what is read first is the number.
export function sized(amount) {
  const [number, ...unit] = amount.split(" ");
  return [number, unit.length ? h("small", {}, ` ${unit.join(" ")}`) : null].filter(Boolean);
}

// A path that is broken after a slash rather than anywhere.
export const breakable = (path) => path.split(/(?<=\/)/).flatMap((part) => [part, h("wbr")]);

export const byId = (id) => document.getElementById(id);

export function later(action, ms) {
  let timer = 0;
  return (...values) => { clearTimeout(timer); timer = setTimeout(() => action(...values), ms); };
}

// Soon after it is called, and once however often it is called until then: what streams in never puts it off.
export function seldom(action, ms) {
  let timer = 0;
  return () => { timer ||= setTimeout(() => { timer = 0; action(); }, ms); };
}

// Other rows in a list; a link that has the focus keeps it, where it is still there.
export function refill(list, rows) {
  const at = list.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  list.replaceChildren(...rows);
  if (at) [...list.querySelectorAll("a")].find((link) => link.getAttribute("href") === at)?.focus({ preventScroll: true });
}

// How large things are drawn where the style sheet says rem: 1 at a desk, more on a wall or for who reads large.
export const scale = () => parseFloat(getComputedStyle(document.documentElement).fontSize) / 10 || 1;

// A small drawing of `size` pixels (at a desk) that says `words` to those who can't see it.
export function canvas(size, draw, words = "") {
  const ratio = (devicePixelRatio || 1) * scale();
  const element = h("canvas", { width: size * ratio, height: size * ratio, class: "sign", ...(words ? { role: "img", "aria-label": words } : { "aria-hidden": "true" }) });
  element.style.width = element.style.height = `${size / 10}rem`;
  const ctx = element.getContext("2d");
  ctx.scale(ratio, ratio);
  draw(ctx);
  return element;
}
