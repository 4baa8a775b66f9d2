// Shows the OpenAPI document as a page: every operation, its parameters and answers. Nothing is fetched from elsewhere.

import { h } from "./dom.js";

const paper = document.getElementById("paper");
const api = await (await fetch("/openapi.json")).json();
const VERBS = ["get", "post", "put", "delete"];

const resolve = (schema) => (schema?.$ref ? api.components.schemas[schema.$ref.split("/").pop()] : schema) ?? {};
const nameOf = (schema) => schema?.$ref?.split("/").pop() ?? "";

function typeOf(schema) {
  if (!schema) return "";
  if (schema.$ref) return nameOf(schema);
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.type === "array") return `list of ${typeOf(schema.items)}`;
  return schema.format ?? schema.type ?? "any";
}

const table = (head, rows) => h("div", { class: "table-wrap" }, h("table", {},
  h("thead", {}, h("tr", {}, head.map((name) => h("th", { scope: "col" }, name)))),
  h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell)))))));

function fields(schema) {
  const { properties = {}, required = [] } = resolve(schema);
  return table(["Field", "Type", "Meaning"], Object.entries(properties).map(([name, field]) =>
    [h("code", {}, name), typeOf(field), (field.description ?? resolve(field).description ?? "") + (required.includes(name) ? "" : " (optional)")]));
}

function exampleOf(content) {
  const example = content?.example ?? resolve(content?.schema).examples?.[0];
  return example ? h("pre", {}, typeof example === "string" ? example : JSON.stringify(example, null, 2)) : null;
}

function operation(path, verb, entry) {
  const sent = entry.requestBody?.content?.["application/json"];
  const body = sent && (sent.schema.anyOf?.[0] ?? sent.schema); // one that may be left out is "this or null"
  const answers = Object.entries(entry.responses);
  const good = answers.find(([status]) => status.startsWith("2"))?.[1]?.content ?? {};
  const said = Object.values(good)[0];
  const schema = said?.schema;
  return h("details", { class: "op" },
    h("summary", {}, h("code", { class: "verb" }, verb.toUpperCase()), h("code", {}, path), h("span", { class: "soft" }, entry.summary ?? "")),
    h("div", { class: "body" },
      h("p", {}, entry.description ?? ""),
      entry.parameters?.length ? table(["Parameter", "Type", "Meaning"], entry.parameters.map((parameter) =>
        [h("code", {}, parameter.name), typeOf(parameter.schema), (parameter.description ?? "") + (parameter.required ? " (required)" : "")])) : null,
      body ? h("div", {}, h("b", {}, `Body: ${nameOf(body)}`), fields(body), exampleOf(sent)) : null,
      table(["Status", "Kind", "Meaning"], answers.map(([status, answer]) => [status, Object.keys(answer.content ?? {}).join(", "), answer.description ?? ""])),
      schema && resolve(schema).properties ? h("div", {}, h("b", {}, `Answer: ${nameOf(schema)}`), fields(schema)) : null,
      exampleOf(said)));
}

const groups = new Map();
for (const [path, verbs] of Object.entries(api.paths)) {
  for (const verb of VERBS.filter((each) => verbs[each])) {
    const group = verbs[verb].tags?.[0] ?? "other";
    groups.set(group, [...(groups.get(group) ?? []), operation(path, verb, verbs[verb])]);
  }
}
paper.replaceChildren(h("h1", {}, `${api.info.title} API ${api.info.version}`), h("p", { class: "soft" }, api.info.description ?? ""),
  ...[...groups].flatMap(([group, operations]) => [h("h2", {}, group), ...operations]));
