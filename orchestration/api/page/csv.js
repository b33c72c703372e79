// Writes a table as CSV (RFC 4180) that a spreadsheet reads as texts and numbers, never as formulas.

// Where a formula can begin, and what is a number: as in orchestration/formulas.py, which says why.
const FORMULA = /^(?=[\t\r\n]|\s*[=+@\-\uff1d\uff0b\uff0d\uff20])|(?<=[;\t\r\n])(?=[ \f\v"]*[=+@\-\uff1d\uff0b\uff0d\uff20])/g;
const NUMBER = /^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$/;

/** Return rows of values as CSV text; numbers stay numbers. */
export function csv(header, rows) {
  return [header, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

/** Let the browser save a text as a file. */
export function save(name, text) {
  const address = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const written = String(value);
  const text = NUMBER.test(written) ? written : written.replace(FORMULA, "'");
  return /[",\r\n\t]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
