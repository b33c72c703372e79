// Writes values as people read them, by the unit of their column (docs/dashboards.md, "Units and charts").

const NUMBERS = new Set(["count", "seconds", "share", "percent"]);
const PERCENT_OF = { share: 100, percent: 1 };
const PARTS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
const NONE = "–";
const ID_SHOWN = 8; // characters; tables of many rows have no room for more, and the CSV has all

const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 2 });
const oneDecimal = new Intl.NumberFormat("en-GB", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const inUtc = (options) => new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...options });
const day = inUtc({ day: "numeric", month: "short", year: "numeric" });
const month = inUtc({ month: "short", year: "numeric" });
const moment = inUtc({ day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });

export const isNumber = (unit) => NUMBERS.has(unit);

/** Return a value of a unit as people read it. */
export function readable(unit, value) {
  if (value === null || value === undefined || value === "") return NONE;
  if (unit in PERCENT_OF) return `${oneDecimal.format(value * PERCENT_OF[unit])}%`;
  if (unit === "count") return whole.format(value);
  if (unit === "seconds") return duration(value);
  if (unit === "day") return day.format(new Date(value));
  if (unit === "month") return month.format(new Date(value));
  if (unit === "moment") return moment.format(new Date(value));
  if (unit === "flag") return value ? "yes" : "no";
  if (unit === "token") return words(value);
  if (unit === "case_id" || unit === "task_id") return String(value).slice(0, ID_SHOWN);
  if (unit === "place") return place(value);
  return String(value);
}

/** Return a duration in seconds by its largest unit and the next one: 2 h 5 min. */
export function duration(seconds) {
  const left = Math.floor(Math.abs(seconds));
  const place = PARTS.findIndex(([, size]) => left >= size);
  if (place < 0) return "0 s";
  const [name, size] = PARTS[place];
  const parts = [`${whole.format(Math.floor(left / size))} ${name}`];
  if (place + 1 < PARTS.length) {
    const [smaller, length] = PARTS[place + 1];
    const rest = Math.floor((left % size) / length);
    if (rest) parts.push(`${rest} ${smaller}`);
  }
  return (seconds < 0 ? "-" : "") + parts.join(" ");
}

/** Return a token or name in words: IN_PROGRESS as In progress. A text that is no token stays as it is. */
export function words(token) {
  const text = String(token);
  if (!/^([A-Z][A-Z0-9_]*|[a-z][a-z0-9_]*)$/.test(text)) return text;
  const spaced = text.toLowerCase().replaceAll("_", " ");
  return spaced[0].toUpperCase() + spaced.slice(1);
}

/** Return a place in words: the parts of a JSON object, or the text as it is. */
function place(text) {
  try {
    const parts = JSON.parse(text);
    if (parts && typeof parts === "object") return Object.entries(parts).map(([name, value]) => `${name} ${value}`).join(", ");
  } catch {
    // no JSON, so it is a name
  }
  return String(text);
}

/** Return how long ago a moment was, roughly. */
export function ago(iso) {
  const seconds = Math.max(0, (Date.now() - Date.parse(iso)) / 1000);
  return seconds < 60 ? "less than a minute ago" : `${duration(seconds)} ago`;
}
