// Writes a table as CSV (RFC 4180) that a spreadsheet reads as texts and numbers, never as formulas.

// A formula can begin a text, or a line of it; the full-width signs count too (as in Insights' exports).
const FORMULA = /(^|[\t\r\n])([=+\-@\t\r\uff1d\uff0b\uff0d\uff20])/g;

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
  const text = String(value).replace(FORMULA, "$1'$2");
  return /[",\r\n\t]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
