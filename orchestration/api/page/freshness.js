// How fresh an answer is, and what it is of.
import { h } from "./dom.js";
import { ago, readable, words } from "./format.js";

/** Return the line that every set of figures has; a stale answer says so, and why that can be. */
export function freshness(answer, reload) {
  const upTo = answer.data_up_to
    ? `Everything before ${readable("day", answer.data_up_to)} (UTC) is counted.`
    : "Nothing has been loaded yet.";
  const sees = answer.visibilities.map(words).join(", ");
  const computed = h("time", { datetime: answer.computed_at, title: readable("moment", answer.computed_at) }, ago(answer.computed_at));
  return h(
    "div",
    { class: answer.is_stale ? "freshness stale" : "freshness" },
    answer.is_stale
      ? h("p", { role: "status" }, h("strong", {}, "These figures are stale: "), "they are too old, or there is newer data that the service cannot read now.")
      : null,
    h(
      "p",
      {},
      `${upTo} Computed `,
      computed,
      `. Visibility: ${sees}. `,
      h("button", { type: "button", class: "plain", on: { click: reload } }, "Reload"),
    ),
  );
}
