// Builds elements. Text always goes in as text: there is no way here to put markup in.

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  critical: ["M8 2.6h8L21.4 8v8L16 21.4H8L2.6 16V8z", "M12 7.5v5.5", "M12 16.6v.1"],
  warning: ["M12 3.2 22 20.4H2z", "M12 9.6v4.6", "M12 17.3v.1"],
  info: ["M12 2.8a9.2 9.2 0 1 0 .01 0z", "M12 11v5.4", "M12 7.6v.1"],
  good: ["M12 2.8a9.2 9.2 0 1 0 .01 0z", "M8 12.4l2.8 2.8 5.4-6"],
  back: ["M15 5l-7 7 7 7"],
  gauge: ["M5 18a9 9 0 1 1 14 0", "M12 13l4-5"],
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
  for (const d of ICONS[name] ?? []) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

export const byId = (id) => document.getElementById(id);

export function later(action, ms) {
  let timer = 0;
  return (...values) => { clearTimeout(timer); timer = setTimeout(() => action(...values), ms); };
}
