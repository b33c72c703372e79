// What a view says when it has no figures: that it waits, that something is refused or dead, that nothing is there.
import { h } from "./dom.js";

const TITLES = {
  expired: "Log in again",
  refused: "Not allowed",
  missing: "Nothing here",
  parameters: "Wrong filters",
  busy: "Too many requests",
  dead: "No answer",
};

/** Return the message that a view waits. */
export const waiting = () => h("p", { class: "message" }, "Loading…");

/** Return the message of a problem, with a button to try again where that can help. */
export function failed(problem, again) {
  const wait = problem.retryAfter ? ` (The service asks to wait ${problem.retryAfter} s.)` : "";
  const button = h("button", { type: "button", on: { click: again } }, "Try again");
  const errors = problem.errors.map((error) => h("li", {}, error.detail));
  return h(
    "div",
    { class: "message problem", role: "alert" },
    h("h2", {}, TITLES[problem.kind] ?? "No answer"),
    h("p", {}, `${problem.message}${wait}`),
    errors.length ? h("ul", {}, ...errors) : null,
    problem.kind === "busy" || problem.kind === "dead" ? button : null,
  );
}

/** Return the sentence that there is nothing to show. */
export const nothing = (text) => h("p", { class: "note" }, text);
