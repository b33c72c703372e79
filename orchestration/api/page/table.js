// A table of a panel's rows, with a button that saves it as CSV.
import { csv, save } from "./csv.js";
import { h } from "./dom.js";
import { isNumber, readable } from "./format.js";

const SHOWN_ROWS = 100;

/**
 * Return a table with its caption for columns as the service describes them; `cell` may return an element for a
 * value (column, row), null for the value as text. `file` is the name of the CSV without its ending.
 */
export function table(caption, columns, rows, file, cell = () => null) {
  const body = h("tbody");
  const show = (from, to) => body.append(...rows.slice(from, to).map((row) => line(columns, row, cell)));
  show(0, SHOWN_ROWS);
  const more = h("button", { type: "button", hidden: rows.length <= SHOWN_ROWS }, `Show all ${rows.length} rows`);
  more.addEventListener("click", () => {
    show(SHOWN_ROWS, rows.length);
    more.remove();
  });
  const download = h("button", { type: "button" }, "Save as CSV");
  download.addEventListener("click", () => save(`${file}.csv`, asCsv(columns, rows)));
  const heads = columns.map((c) => h("th", { scope: "col", class: isNumber(c.unit) ? "number" : null }, c.title));
  return h(
    "div",
    { class: "rows" },
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
      h("table", {}, h("caption", { class: "unseen" }, caption), h("thead", {}, h("tr", {}, ...heads)), body),
    ),
    h("div", { class: "actions" }, more, download),
  );
}

/** Return the CSV of rows: values as the service has them, since a spreadsheet has formats of its own. */
export function asCsv(columns, rows) {
  const header = columns.map((column) => column.name);
  return csv(header, rows.map((row) => columns.map((column) => row[column.name])));
}

function line(columns, row, cell) {
  return h("tr", {}, ...columns.map((column) => {
    const shown = cell(column, row) ?? readable(column.unit, row[column.name]);
    return h("td", { class: isNumber(column.unit) ? "number" : null }, shown);
  }));
}
