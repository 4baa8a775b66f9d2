// What this reader prefers: language, units, times, shortcuts; the first of each is the default, in which the service
// keeps its values. Kept in this browser only.

const KEY = "citygauge preferences";

export const CHOICES = {
  water: ["litres", "m3", "gallons"], speed: ["kmh", "mph"], pressure: ["kpa", "bar", "psi"], times: ["site", "utc"], keys: ["on", "off"],
};

function read() {
  let kept = {};
  try { kept = JSON.parse(localStorage.getItem(KEY)) ?? {}; } catch { /* forbidden or damaged: the defaults hold */ }
  const chosen = Object.entries(CHOICES).map(([name, values]) => [name, values.includes(kept[name]) ? kept[name] : values[0]]);
  return Object.freeze({ language: kept.language, ...Object.fromEntries(chosen) });
}

export const preferences = read();

// Keeps the choice and starts the page again in it; drafts are kept by their forms.
export function prefer(chosen) {
  try { localStorage.setItem(KEY, JSON.stringify(chosen)); } catch { /* forbidden: this page stays as it is */ }
  location.reload();
}
