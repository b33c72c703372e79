// The view of a dashboard: its filters, and for each panel a sentence, a chart and the table.
import { address, drilled, inOrgo } from "./address.js";
import { askOrganization } from "./api.js";
import { chart } from "./chart.js";
import { h, newId } from "./dom.js";
import { filters, withVisibility } from "./filters.js";
import { readable, words } from "./format.js";
import { freshness } from "./freshness.js";
import { failed, nothing } from "./states.js";
import { table } from "./table.js";

const ANONYMISED = { type: "switch", description: "All visibilities, without small groups." };

/**
 * Show a dashboard in `view`. `context` has the dashboards by name, who asks (`caller`), the links into Orgo, and
 * `leave` for an expired token. `parameters` are those of the address.
 */
export async function showDashboard(view, dashboard, parameters, context) {
  const accepted = parametersOf(dashboard, context.caller);
  const path = ["dashboards", dashboard.name];
  const apply = (chosen) => (location.hash = address(path, chosen));
  const again = () => showDashboard(view, dashboard, parameters, context);
  let answer;
  try {
    answer = await askOrganization(`dashboards/${encodeURIComponent(dashboard.name)}`, parameters);
  } catch (problem) {
    if (problem.kind === "expired") return context.leave(problem.message);
    return view.replaceChildren(...head(dashboard), filters(accepted, parameters, apply, problem.errors) ?? "", failed(problem, again));
  }
  const form = parameters.get("anonymised") === "true" ? "anonymised" : "plain";
  const panels = Object.entries(answer.data).map(([name, content]) => {
    const declared = dashboard.panels[name];
    const shape = form === "anonymised" ? declared.anonymised : declared;
    return panel(dashboard, name, { ...declared, ...shape }, content, parameters, context);
  });
  const isEmpty = Object.values(answer.data).every((content) => !content.rows.length);
  view.replaceChildren(
    ...head(dashboard),
    filters(accepted, parameters, apply) ?? "",
    freshness(answer, again),
    isEmpty ? nothing("There is no data for these filters.") : "",
    ...panels,
  );
}

/** Return the parameters that a dashboard takes from this caller, visibility and form included. */
export function parametersOf(dashboard, caller) {
  const found = withVisibility(dashboard.parameters, caller);
  return dashboard.has_anonymised_form && caller.sees_anonymised ? { ...found, anonymised: ANONYMISED } : found;
}

const head = (dashboard) => [h("h1", { tabindex: -1 }, dashboard.title), h("p", { class: "lead" }, dashboard.description)];

function panel(dashboard, name, declared, content, parameters, context) {
  const id = newId("panel");
  const title = words(name);
  const file = `${dashboard.name}-${name}-${content.horizon ?? "no-data"}`;
  const accepted = declared.drill ? accepts(declared.drill.to, context) : new Set();
  const lead = (row) => drilled(declared.drill, row, parameters, accepted);
  const section = h(
    "section",
    { class: "panel", "aria-labelledby": id },
    h("h2", { id }, title),
    h("p", { class: "says" }, declared.description),
  );
  if (content.missing) section.append(nothing("This has not been built yet."));
  else if (!content.rows.length) section.append(nothing("No rows."));
  else section.append(...figures(title, declared, content, file, lead, context));
  if (content.left_out) section.append(h("p", { class: "note" }, `${content.left_out} more rows are left out; filter to see them.`));
  return section;
}

function figures(title, declared, content, file, lead, context) {
  const { columns, rows } = { columns: declared.columns, rows: content.rows };
  const cell = (column, row) => linked(column, row, context);
  const leads = declared.drill !== null;
  const shown = leads ? [...columns, { name: "", title: "Behind it", kind: "link", unit: "text" }] : columns;
  const withLinks = (column, row) => (column.kind === "link" ? behind(lead(row)) : cell(column, row));
  const rowsTable = table(title, shown, rows, file, withLinks);
  if (!columns.some((column) => column.kind === "dimension")) return [tiles(columns, rows[0]), closed(rowsTable, 1)];
  if (!declared.chart) return [rowsTable];
  const follow = leads ? (row) => lead(row) && (location.hash = lead(row)) : null;
  return [chart(declared.chart, columns, rows, title, follow), closed(rowsTable, rows.length)];
}

const closed = (content, count) => h("details", {}, h("summary", {}, `Table (${count} ${count === 1 ? "row" : "rows"})`), content);

const tiles = (columns, row) =>
  h("dl", { class: "tiles" }, ...columns.map((c) => h("div", {}, h("dt", {}, c.title), h("dd", {}, readable(c.unit, row[c.name])))));

const behind = (target) => (target ? h("a", { href: target }, "Show") : "");

/** Return a link for a value that leads somewhere: to a pattern, or to a case or task in Orgo. */
function linked(column, row, context) {
  const id = row[column.name];
  if (id === null) return null;
  if (column.unit === "pattern_id") return h("a", { href: address(["patterns", id]) }, "Explain");
  const template = context.links[column.unit];
  return template ? h("a", { href: inOrgo(template, column.unit, id), rel: "noreferrer" }, readable(column.unit, id)) : null;
}

function accepts(target, context) {
  if (target === "patterns") return new Set(["visibility"]);
  const dashboard = context.dashboards.get(target);
  return new Set(Object.keys(dashboard ? parametersOf(dashboard, context.caller) : {}));
}
