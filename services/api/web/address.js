// Addresses of views (#/sensor/M-17?from=…): every view has one, and what a person turned in it is kept there.

export function here() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  let id = rest.join("/");
  try { id = decodeURIComponent(id); } catch { /* a stray %: take it as it is */ }
  return { name: name || "now", id, query: Object.fromEntries(new URLSearchParams(query ?? "")) };
}

export function address(name, id = "", query = {}) {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== ""));
  const tail = search.toString();
  return `#/${name}${id ? `/${encodeURIComponent(id)}` : ""}${tail ? `?${tail}` : ""}`;
}

// Keeps the view's state in its address without opening the view anew.
export function keep(query) {
  const { name, id, query: before } = here();
  history.replaceState(null, "", address(name, id, { ...before, ...query }));
}
