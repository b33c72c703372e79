// Draws a panel with uPlot: lines and bars over time upright, bars over names lying, so that names have room.
import { h } from "./dom.js";
import { readable } from "./format.js";
import { drawn, seconds, stacked, step } from "./series.js";

const HEIGHT = 260;
const BAR_HEIGHT = { stacked: 30, each: 18, gap: 16, axis: 44 };
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
const NAME = { most: 24, mostNarrow: 15, character: 7, room: 18 }; // characters, and pixels
const NARROW = 520; // pixels, below which names get less room
const SHADES = ["--shade-1", "--shade-2", "--shade-3", "--shade-4"];

/**
 * Return a figure for the rows of a panel. `lead` is called with {[column]: value} of a bar that is clicked; it is
 * null where bars lead nowhere. The table beside it has the same for keyboards and screen readers.
 */
export function chart(declared, columns, rows, title, lead) {
  const data = drawn(declared, columns, rows);
  const isLying = !data.isTime;
  const place = h("div", { class: lead ? "plot leading" : "plot", role: "img", "aria-label": summary(data, title) });
  const tip = h("div", { class: "tip", hidden: true, "aria-hidden": "true" });
  place.append(tip);
  const figure = h("figure", { class: "chart" }, legend(data), place, leftOut(data));
  let plot = null;
  const draw = () => {
    plot?.destroy();
    if (!place.isConnected || !place.clientWidth) return;
    plot = new uPlot(options(declared, data, place.clientWidth, isLying, tip, lead), numbers(declared, data), place);
  };
  new ResizeObserver(draw).observe(place);
  drawings.set(place, draw);
  return figure;
}

// A canvas does not follow the colors of the style sheet: it is drawn again in dark mode and for paper.
const drawings = new Map();
for (const query of ["(prefers-color-scheme: dark)", "print"]) {
  matchMedia(query).addEventListener("change", () => {
    for (const [place, draw] of drawings) {
      if (place.isConnected) draw();
      else drawings.delete(place);
    }
  });
}

/** Return uPlot's data: places, then the series; what is stacked from the top, so that the lower ones cover it. */
function numbers(declared, data) {
  const xs = data.isTime ? data.places.map((p) => seconds(p.value)) : data.places.map((_, index) => index);
  if (declared.stack) return [xs, ...stacked(data.series).map((one) => one.numbers).reverse()];
  if (declared.mark === "line" || data.series.length === 1) return [xs, ...data.series.map((one) => one.numbers)];
  return sideBySide(xs, data);
}

/** Return data in which the bars of a place are beside each other: each has a place of its own. */
function sideBySide(xs, data) {
  const width = (0.8 * step(xs)) / data.series.length;
  const middle = (data.series.length - 1) / 2;
  const all = xs.flatMap((x) => data.series.map((_, s) => x + (s - middle) * width));
  const count = data.series.length;
  return [all, ...data.series.map((one, s) => all.map((_, i) => (i % count === s ? one.numbers[(i - s) / count] : undefined)))];
}

function options(declared, data, width, isLying, tip, lead) {
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(name).trim();
  const isStacked = declared.stack;
  const isBars = declared.mark === "bar";
  const count = data.series.length;
  const each = isBars && !isStacked && count > 1 ? 0.8 / count : 0.8;
  const shapes = data.series.map((one, s) => ({
    label: one.label,
    stroke: color(colorOf(data, s)),
    fill: isBars ? color(colorOf(data, s)) : undefined,
    width: isBars ? 0 : 2,
    dash: isBars ? undefined : DASHES[s % DASHES.length],
    paths: isBars ? uPlot.paths.bars({ size: [each, isLying ? 26 : 48] }) : undefined,
    points: { show: !isBars && data.places.length < 40, size: 5 },
  }));
  if (isStacked) shapes.reverse();
  const axis = { stroke: color("--quiet"), grid: { stroke: color("--grid"), width: 1 }, ticks: { show: false } };
  const font = { font: `12px ${style.getPropertyValue("--font").trim()}` };
  const names = data.places.map((p) => cut(p.label, width < NARROW ? NAME.mostNarrow : NAME.most));
  const nameWidth = Math.max(...names.map((name) => name.length)) * NAME.character + NAME.room;
  return {
    width,
    height: isLying ? lyingHeight(data, isStacked || count === 1) : HEIGHT,
    legend: { show: false },
    tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), "Etc/UTC"),
    padding: [8, isBars ? 16 : 32, 0, 0],
    cursor: { drag: { x: false, y: false }, points: { show: false }, y: false, x: !isBars },
    scales: {
      x: { time: data.isTime, ori: isLying ? 1 : 0, dir: isLying ? -1 : 1, range: xRange(data, isBars) },
      y: { ori: isLying ? 0 : 1, range: (_u, _min, max) => [0, max > 0 ? max * 1.06 : 1] },
    },
    series: [{}, ...shapes],
    axes: [
      isLying
        ? { ...axis, ...font, side: 3, grid: { show: false }, size: nameWidth, splits: () => names.map((_, i) => i), values: () => names }
        : { ...axis, ...font, grid: { show: false }, size: 32, values: (_u, splits) => dates(splits, data) },
      { ...axis, ...font, side: isLying ? 2 : 3, size: isLying ? 34 : 58, values: (_u, splits) => splits.map((v) => axisValue(data.unit, v)) },
    ],
    hooks: { setCursor: [(u) => showTip(u, data, tip, isLying)], ready: [(u) => lead && follow(u, declared, data, isLying, lead)] },
  };
}

function xRange(data, isBars) {
  if (!data.isTime) return [-0.5, data.places.length - 0.5];
  const xs = data.places.map((place) => seconds(place.value));
  const room = isBars || xs.length === 1 ? step(xs) / 2 : 0;
  return [xs[0] - room, xs.at(-1) + room];
}

const lyingHeight = (data, isOne) =>
  data.places.length * (isOne ? BAR_HEIGHT.stacked : BAR_HEIGHT.each * data.series.length + BAR_HEIGHT.gap) + BAR_HEIGHT.axis;

function axisValue(unit, value) {
  if (unit === "count") return Number.isInteger(value) ? readable(unit, value) : "";
  return readable(unit, value).replace(".0%", "%");
}

/** Return the dates of an axis: each month once, or days without the year, which the table has. */
function dates(splits, data) {
  let before = "";
  return splits.map((split) => {
    const label = readable(data.xUnit, new Date(split * 1000).toISOString());
    const short = data.xUnit === "month" ? label : label.replace(/ \d{4}$/, "");
    const isAgain = label === before;
    before = label;
    return isAgain ? "" : short;
  });
}

const colorOf = (data, s) => {
  if (!data.isOrdered) return `--series-${s + 1}`;
  return SHADES[Math.round((s / Math.max(1, data.series.length - 1)) * (SHADES.length - 1))];
};

function legend(data) {
  if (data.series.length < 2) return null;
  const items = data.series.map((one, s) => h("li", {}, h("span", { class: `swatch ${colorOf(data, s).slice(2)}` }), one.label));
  return h("ul", { class: "legend", "aria-hidden": "true" }, ...items);
}

function leftOut(data) {
  const parts = [];
  if (data.leftOut.places) parts.push(`${data.leftOut.places} more groups`);
  if (data.leftOut.series) parts.push(`${data.leftOut.series} more series`);
  return parts.length ? h("p", { class: "note" }, `The table has ${parts.join(" and ")}.`) : null;
}

function summary(data, title) {
  const series = data.series.length > 1 ? `, by ${data.series.map((one) => one.label).join(", ")}` : "";
  const [first, last] = [data.places[0].label, data.places.at(-1).label];
  const places = data.isTime ? `from ${first} to ${last}` : `${data.places.length} groups`;
  return `Chart of ${title}: ${places}${series}. The table below has all figures.`;
}

/** Return the place under the cursor, null if there is none. */
function placeAt(u, data, isLying) {
  const at = isLying ? u.cursor.top : u.cursor.left;
  if (at === undefined || at < 0) return null;
  const x = u.posToVal(at, "x");
  const xs = data.isTime ? data.places.map((place) => seconds(place.value)) : data.places.map((_, index) => index);
  const nearest = xs.reduce((best, value, index) => (Math.abs(value - x) < Math.abs(xs[best] - x) ? index : best), 0);
  return nearest;
}

function showTip(u, data, tip, isLying) {
  const index = placeAt(u, data, isLying);
  tip.hidden = index === null;
  if (index === null) return;
  const lines = data.series
    .filter((one) => one.numbers[index] !== null)
    .map((one) => h("div", {}, data.series.length > 1 ? `${one.label}: ` : "", h("b", {}, readable(data.unit, one.numbers[index]))));
  tip.replaceChildren(h("div", { class: "head" }, data.places[index].label), ...lines);
  const { width, height } = u.over.getBoundingClientRect();
  const left = u.over.offsetLeft + u.cursor.left + (u.cursor.left > width / 2 ? -tip.offsetWidth - 12 : 12);
  tip.style.left = `${Math.max(0, left)}px`;
  tip.style.top = `${Math.max(0, u.over.offsetTop + Math.min(u.cursor.top, height - tip.offsetHeight))}px`;
}

/** Lead to what is behind a bar that is clicked. */
function follow(u, declared, data, isLying, lead) {
  u.over.addEventListener("click", () => {
    const index = placeAt(u, data, isLying);
    if (index === null) return;
    const row = { [declared.x]: data.places[index].value };
    if (declared.series && declared.stack) {
      const y = u.posToVal(isLying ? u.cursor.left : u.cursor.top, "y");
      const hit = stacked(data.series).find((one) => y <= one.numbers[index]);
      if (hit?.value) row[declared.series] = hit.value;
    }
    lead(row);
  });
}

const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
