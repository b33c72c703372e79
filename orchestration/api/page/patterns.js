// The views of patterns: the list with filters and pages, and one pattern explained with its cases.
import { address, inOrgo } from "./address.js";
import { askOrganization } from "./api.js";
import { h } from "./dom.js";
import { filters } from "./filters.js";
import { readable, words } from "./format.js";
import { freshness } from "./freshness.js";
import { failed, nothing } from "./states.js";
import { table } from "./table.js";

const LIST = [
  column("label", "Label", "text"),
  column("domain", "Domain", "text"),
  column("location", "Place", "place"),
  column("kind_name", "Kind", "text"),
  column("cadence", "Review", "token"),
  column("review_date", "Of", "day"),
  column("severity", "Severity", "token"),
  column("cases", "Cases", "count"),
  column("sources", "Reporters", "count"),
  column("episode_start", "Since", "day"),
  column("is_new", "New", "flag"),
];
const CASES = [
  column("case_id", "Case", "case_id"),
  column("label", "Label", "text"),
  column("domain", "Domain", "text"),
  column("status", "Status", "token"),
  column("severity", "Severity", "token"),
  column("opened_at", "Opened", "moment"),
  column("closed_at", "Closed", "moment"),
];
const SAYS = "What the newest reviews found, the newest review first, in it the largest pattern first.";

/** Show a page of the list of patterns in `view`; `context` as for dashboards. */
export async function showPatterns(view, parameters, context) {
  const shown = context.patternParameters;
  const head = [h("h1", { tabindex: -1 }, "Patterns"), h("p", { class: "lead" }, SAYS)];
  const apply = (chosen) => (location.hash = address(["patterns"], chosen));
  const again = () => showPatterns(view, parameters, context);
  let answer;
  try {
    answer = await askOrganization("patterns", parameters);
  } catch (problem) {
    if (problem.kind === "expired") return context.leave(problem.message);
    return view.replaceChildren(...head, filters(shown, parameters, apply, problem.errors), failed(problem, again));
  }
  const { patterns, next_cursor: next } = answer.data;
  const link = (c, row) => (c.name === "label" ? h("a", { href: explained(row) }, row.label ?? row.about) : null);
  const file = `patterns-${answer.data_up_to ?? "no-data"}`;
  view.replaceChildren(
    ...head,
    filters(shown, parameters, apply),
    freshness(answer, again),
    patterns.length ? table("Patterns", LIST, patterns, file, link) : nothing("No review has found a pattern for these filters."),
    pages(parameters, next, answer.left_out),
  );
}

/** Show one pattern in `view`: the sentences about it, and its cases. */
export async function showPattern(view, id, parameters, context) {
  const again = () => showPattern(view, id, parameters, context);
  const back = h("p", {}, h("a", { href: address(["patterns"]) }, "All patterns"));
  let answer;
  try {
    answer = await askOrganization(`patterns/${encodeURIComponent(id)}`, parameters);
  } catch (problem) {
    if (problem.kind === "expired") return context.leave(problem.message);
    return view.replaceChildren(h("h1", { tabindex: -1 }, "Pattern"), back, failed(problem, again));
  }
  const { pattern, explanation, cases, cases_withheld: withheld } = answer.data;
  const sentences = explanation.filter((part) => part.heading !== "Case");
  view.replaceChildren(
    h("h1", { tabindex: -1 }, [pattern.label ?? pattern.about, pattern.domain, pattern.location && readable("place", pattern.location)].filter(Boolean).join(" · ")),
    h("p", { class: "lead" }, `${pattern.kind_name}, ${words(pattern.severity)}: ${count(pattern.cases, "case")} from ${readable("day", pattern.window_start)} to ${readable("day", pattern.window_end)}.`),
    back,
    freshness(answer, again),
    h("section", { class: "panel", "aria-label": "Why" }, h("h2", {}, "Why it was found"), facts(sentences)),
    h(
      "section",
      { class: "panel", "aria-label": "Cases" },
      h("h2", {}, "Cases"),
      h("p", { class: "says" }, `The cases that this review counted, as far as you may see them, the newest first.`),
      cases.length ? table("Cases", CASES, cases, `pattern-${id}-cases`, (c, row) => caseLink(c, row, context)) : nothing("None that you may see."),
      withheld ? h("p", { class: "note" }, `${count(withheld, "case")} withheld: you may not see them, or they were purged.`) : "",
    ),
  );
}

function facts(sentences) {
  return h("dl", { class: "facts" }, ...sentences.map((part) => h("div", {}, h("dt", {}, part.heading), h("dd", {}, part.text))));
}

function pages(parameters, next, leftOut) {
  const without = [...parameters].filter(([name]) => name !== "cursor");
  const first = parameters.has("cursor") ? h("a", { href: address(["patterns"], without) }, "First page") : null;
  const following = next ? h("a", { href: address(["patterns"], [...without, ["cursor", next]]) }, `Next page (${leftOut} more)`) : null;
  return first || following ? h("nav", { class: "pages", "aria-label": "Pages" }, first, following) : "";
}

const explained = (row) => address(["patterns", row.pattern_id], [["review_date", row.review_date]]);

function caseLink(c, row, context) {
  if (c.unit !== "case_id") return null;
  const template = context.links.case_id;
  return template ? h("a", { href: inOrgo(template, "case_id", row.case_id), rel: "noreferrer" }, readable("case_id", row.case_id)) : null;
}

function column(name, title, unit) {
  return { name, title, kind: "dimension", unit };
}

const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
