// Asks the service. The token stays in this module's memory: never in an address, a storage or a log.

import { current } from "./address.js";

let token = null;
let own = null;

/** An answer that is no answer: `kind` says which state the page shows. */
export class Problem extends Error {
  constructor(kind, says, details = {}) {
    super(says);
    this.kind = kind;
    this.errors = details.errors ?? [];
    this.retryAfter = details.retryAfter ?? null;
  }
}

const SAYS = {
  401: ["expired", "Your access token is not valid, or no longer. Log in with a new one."],
  403: ["refused", "Your roles do not allow this."],
  404: ["missing", "There is nothing here that you may see."],
  422: ["parameters", "Some filters are wrong."],
  429: ["busy", "You have asked too often. Wait a moment, then try again."],
  503: ["dead", "The service cannot answer now. Try again in a moment."],
};
const FAILED = ["dead", "The service failed to answer. Try again; if it fails again, tell your administrator."];

/** Log in with a token, null where a gateway knows the user. Returns who asks; throws Problem. */
export async function logIn(given) {
  token = given;
  try {
    const caller = await ask("v1/caller");
    own = caller.organization.id;
    return caller;
  } catch (problem) {
    logOut();
    throw problem;
  }
}

/** Forget token and organization. */
export function logOut() {
  token = null;
  own = null;
}

/** Return the answer below the organization of the address; `parameters` are pairs. Throws Problem. */
export const askOrganization = (path, parameters = []) =>
  ask(`v1/organizations/${encodeURIComponent(current().organization ?? own)}/${path}`, parameters);

/** Return what dashboards there are, which is the same in each organization. Throws Problem. */
export const dashboards = () => ask(`v1/organizations/${encodeURIComponent(own)}/dashboards`);

/** Return what the page must know before anybody logs in. Throws Problem. */
export const settings = () => ask("page/settings.json");

async function ask(path, parameters = []) {
  const query = new URLSearchParams(parameters).toString();
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  let answer;
  try {
    // no-cache: an answer that the browser has is used only after the service has seen the token again.
    answer = await fetch(query ? `${path}?${query}` : path, { headers, credentials: "same-origin", cache: "no-cache" });
  } catch {
    throw new Problem("dead", "The service cannot be reached. Check your connection, then try again.");
  }
  if (answer.ok) return answer.json();
  throw await problemOf(answer);
}

async function problemOf(answer) {
  const [kind, says] = SAYS[answer.status] ?? FAILED;
  let body = {};
  try {
    body = await answer.json();
  } catch {
    // something between the service and the page has answered
  }
  const detail = kind === "refused" && body.detail ? `${says} ${body.detail}` : says;
  return new Problem(kind, detail, { errors: body.errors, retryAfter: answer.headers.get("Retry-After") });
}
