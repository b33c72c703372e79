// Logging in: a token that is pasted, or handed by the page that opened or frames this one.
import { h } from "./dom.js";

const READY = "orgo-insights:ready";
const TOKEN = "orgo-insights:token";

/** Return the form in which a token is pasted; `enter` gets it. `says` is why one is needed again, null at first. */
export function loginForm(enter, says) {
  const field = h("input", { id: "token", type: "password", autocomplete: "off", spellcheck: "false", required: true, "aria-describedby": "token-says" });
  const submit = (event) => {
    event.preventDefault();
    const token = field.value.trim();
    field.value = "";
    if (token) enter(token);
  };
  return h(
    "form",
    { class: "login", on: { submit } },
    h("h1", { tabindex: -1 }, "Log in"),
    says ? h("p", { class: "problem", role: "alert" }, says) : null,
    h("label", { for: "token" }, "Access token"),
    field,
    h("small", { id: "token-says" }, "An access token of Orgo. This page keeps it until it is closed or reloaded, and nowhere else."),
    h("button", { type: "submit", class: "main" }, "Log in"),
  );
}

/**
 * Ask the opener and the framing page for a token, and take one from them only, and only if they are of `origins`.
 * They are asked again with `askAgain`, which this returns, when a token has expired.
 */
export function takeHandedTokens(origins, enter) {
  const others = [window.opener, window.parent].filter((other) => other && other !== window);
  window.addEventListener("message", (event) => {
    const isTrusted = origins.includes(event.origin) && others.includes(event.source);
    if (isTrusted && event.data?.type === TOKEN && typeof event.data.token === "string") enter(event.data.token);
  });
  const askAgain = () => {
    for (const other of others) for (const origin of origins) other.postMessage({ type: READY }, origin);
  };
  askAgain();
  return askAgain;
}
