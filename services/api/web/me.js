// Who is signed in: shown at once for what this person does, before the service has answered.

import { get } from "./api.js";

export const me = { name: "", may: false };

export async function meet() {
  try {
    const { name, scopes } = await get("/v1/session");
    Object.assign(me, { name, may: scopes.includes("operate") || scopes.includes("admin") });
  } catch { /* a 401 leads to the sign-in page; anything else is said where it matters */ }
}
