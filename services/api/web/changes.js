// Sends what a person does to one alert or to many: each is answered singly, and one refusal keeps no other back.

import { Problem, send, sentenceOf } from "./api.js";

const AT_ONCE = 1000;
export const PATHS = { acknowledged: "acknowledge", resolved: "resolve", shelved: "shelve", unshelved: "unshelve", commented: "comment", assigned: "assign", progressed: "progress" };

export async function change(name, alerts, facts, done, refused) {
  if (alerts.length === 1) {
    const [alert] = alerts;
    try {
      done(await send("POST", `/v1/alerts/${alert.id}/${PATHS[name]}`, { ...facts, expected_version: alert.version }));
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      refused(alert.id, problem.message, problem.body?.current);
    }
    return;
  }
  for (let at = 0; at < alerts.length; at += AT_ONCE) {
    const some = alerts.slice(at, at + AT_ONCE);
    const { items } = await send("POST", "/v1/alerts/changes", { change: name, ...facts, alerts: some.map(({ id, version }) => ({ id, expected_version: version })) });
    for (const item of items) {
      if (item.alert) done(item.alert);
      else refused(item.id, sentenceOf(item.status, item.problem ?? {}), item.problem?.current);
    }
  }
}
