// Turns the rows of a panel into places along x and series of numbers, by the panel's `chart`.
import { readable } from "./format.js";

const ADDITIVE = new Set(["count", "seconds"]);
const CALENDAR = new Set(["day", "month"]);
// Tokens that have an order; they are drawn in it, in shades of one color.
const ORDER = ["LOW", "MINOR", "MEDIUM", "MODERATE", "HIGH", "MAJOR", "CRITICAL"];
export const MOST_SERIES = 8;
const MOST_PLACES = 20;
const DAY_SECONDS = 86400;

/**
 * Return what to draw: {places: [{value, label}], series: [{value, label, numbers}], unit, xUnit, isTime, isOrdered,
 * leftOut}. `numbers` has one number for each place, null where there is none. `leftOut` counts what has no room.
 */
export function drawn(chart, columns, rows) {
  const unitOf = Object.fromEntries(columns.map((column) => [column.name, column.unit]));
  const titleOf = Object.fromEntries(columns.map((column) => [column.name, column.title]));
  const [unit, xUnit] = [unitOf[chart.y[0]], unitOf[chart.x]];
  const isTime = CALENDAR.has(xUnit);
  const sums = new Map();
  const places = new Map();
  for (const row of rows) {
    const x = row[chart.x];
    places.set(x, readable(xUnit, x));
    for (const y of chart.y) {
      const key = chart.series ? row[chart.series] : y;
      const label = chart.series ? readable(unitOf[chart.series], key) : titleOf[y];
      if (!sums.has(key)) sums.set(key, { value: key, label, at: new Map() });
      const at = sums.get(key).at;
      if (row[y] !== null) at.set(x, (at.get(x) ?? 0) + row[y]);
    }
  }
  const allPlaces = [...places].map(([value, label]) => ({ value, label }));
  if (isTime) allPlaces.sort((a, b) => (a.value < b.value ? -1 : 1));
  else if (ADDITIVE.has(unit)) allPlaces.sort((a, b) => totalAt(sums, b.value) - totalAt(sums, a.value));
  const shownPlaces = isTime ? allPlaces : allPlaces.slice(0, MOST_PLACES);
  const none = ADDITIVE.has(unit) ? 0 : null;
  const series = [...sums.values()].map(({ value, label, at }) => ({
    value,
    label,
    numbers: shownPlaces.map((place) => at.get(place.value) ?? none),
  }));
  const isOrdered = chart.series !== null && series.length > 1 && series.every((one) => ORDER.includes(one.value));
  if (isOrdered) series.sort((a, b) => ORDER.indexOf(a.value) - ORDER.indexOf(b.value));
  else if (chart.series) series.sort((a, b) => total(b) - total(a));
  const shown = fewest(series, ADDITIVE.has(unit));
  const leftOut = { places: allPlaces.length - shownPlaces.length, series: shown.leftOut };
  return { places: shownPlaces, series: shown.series, unit, xUnit, isTime, isOrdered, leftOut };
}

/** Return the numbers put on each other: the first series at the bottom, each with those below it added. */
export function stacked(series) {
  let below = series[0].numbers.map(() => 0);
  return series.map((one) => {
    below = one.numbers.map((number, place) => (number ?? 0) + below[place]);
    return { ...one, numbers: below };
  });
}

/** Return the seconds since 1970 of a day. */
export const seconds = (day) => Date.parse(`${String(day).slice(0, 10)}T00:00:00Z`) / 1000;

/** Return the shortest distance of two places in seconds, a day if there is one place only. */
export const step = (xs) =>
  Math.min(...xs.slice(1).map((x, i) => x - xs[i]), xs.length > 1 ? Infinity : DAY_SECONDS);

/** Return the largest series, and all others added up if that has a meaning. */
function fewest(series, isAdditive) {
  if (series.length <= MOST_SERIES) return { series, leftOut: 0 };
  const kept = series.slice(0, isAdditive ? MOST_SERIES - 1 : MOST_SERIES);
  const others = series.slice(kept.length);
  if (!isAdditive) return { series: kept, leftOut: others.length };
  const numbers = others[0].numbers.map((_, place) => others.reduce((sum, one) => sum + (one.numbers[place] ?? 0), 0));
  return { series: [...kept, { value: null, label: `${others.length} others`, numbers }], leftOut: 0 };
}

const total = (one) => one.numbers.reduce((sum, number) => sum + (number ?? 0), 0);

const totalAt = (sums, x) => [...sums.values()].reduce((sum, { at }) => sum + (at.get(x) ?? 0), 0);
