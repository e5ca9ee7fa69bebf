// Lines over the last minutes, in SVG. What is drawn is numbers and names of our own.

const SVG = "http://www.w3.org/2000/svg";
const SPAN = 600_000;
const HEIGHT = 184;
const MARGIN = { left: 40, right: 6, top: 8, bottom: 22 };

function shape(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/// A number as short as it is still told apart.
export function short(value) {
  if (value === null || value === undefined) return "–";
  return value > 0 && value < 0.1 ? "<0.1" : compact.format(value);
}

/// The next number above that divides well into four.
function above(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 4, 8, 10].map((step) => step * power).find((step) => step >= value) ?? 10 * power;
}

/// Draws into `place` what `series` says: `{ name, tone, points: [{ at, value }] }`, a value of null being a gap.
export class Chart {
  constructor(place, label, unit = "a second") {
    this.unit = unit;
    this.place = place;
    this.label = label;
    this.legend = document.createElement("ul");
    this.legend.className = "legend";
    this.svg = shape("svg", { role: "img", "aria-label": label });
    this.svg.addEventListener("pointermove", (event) => this.point(event.offsetX));
    this.svg.addEventListener("pointerleave", () => this.point(null));
    place.append(this.svg, this.legend);
    this.series = [];
    this.cursor = null;
  }

  point(x) {
    this.cursor = x;
    this.draw(this.series);
  }

  draw(series) {
    this.series = series;
    const width = Math.max(this.place.clientWidth, 240);
    const [inner, height] = [width - MARGIN.left - MARGIN.right, HEIGHT - MARGIN.top - MARGIN.bottom];
    const until = Math.max(...series.flatMap((one) => one.points.map((it) => it.at)), 0) || Date.now();
    const top = above(Math.max(...series.flatMap((one) => one.points.map((it) => it.value ?? 0)), 1));
    const x = (at) => MARGIN.left + inner * (1 - (until - at) / SPAN);
    const y = (value) => MARGIN.top + height * (1 - value / top);
    const drawn = [];
    for (const part of [0, 0.5, 1]) {
      const at = y(part * top);
      drawn.push(shape("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: at, y2: at }));
      drawn.push(shape("text", { x: MARGIN.left - 6, y: at + 4, "text-anchor": "end" }, short(part * top)));
    }
    for (const [minutes, anchor] of [[10, "start"], [5, "middle"], [0, "end"]]) {
      const text = minutes ? `${minutes} min ago` : "now";
      drawn.push(shape("text", { x: x(until - minutes * 60_000), y: HEIGHT - 6, "text-anchor": anchor }, text));
    }
    for (const one of series) {
      for (const run of runs(one.points, until - SPAN)) {
        const line = run.map((it) => `${x(it.at).toFixed(1)},${y(it.value).toFixed(1)}`).join("L");
        const [first, last] = [x(run[0].at).toFixed(1), x(run.at(-1).at).toFixed(1)];
        drawn.push(shape("path", { class: `area ${one.tone}`, d: `M${first},${y(0)}L${line}L${last},${y(0)}Z` }));
        drawn.push(shape("path", { class: `line ${one.tone}`, d: `M${line}` }));
      }
    }
    let at = until;
    if (this.cursor !== null) {
      const wanted = until - SPAN * (1 - (this.cursor - MARGIN.left) / inner);
      at = Math.min(Math.max(wanted, until - SPAN), until);
      drawn.push(shape("line", { class: "cursor", x1: x(at), x2: x(at), y1: MARGIN.top, y2: y(0) }));
    }
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.svg.replaceChildren(...drawn);
    this.tell(series, at, this.cursor !== null);
  }

  tell(series, at, isPast) {
    const told = series.map((one) => `${one.name} ${short(nearest(one.points, at))}`);
    this.svg.setAttribute("aria-label", `${this.label}: ${told.join(", ")} ${this.unit} now`);
    const items = series.map((one) => {
      const item = document.createElement("li");
      const key = shape("svg", { viewBox: "0 0 20 10", "aria-hidden": "true" },
        shape("path", { class: `line ${one.tone}`, d: "M0,5L20,5" }));
      const value = document.createElement("b");
      value.textContent = short(nearest(one.points, at));
      item.append(key, one.name, value);
      return item;
    });
    if (isPast) {
      const when = document.createElement("li");
      when.className = "muted";
      when.textContent = new Date(at).toLocaleTimeString();
      items.push(when);
    }
    this.legend.replaceChildren(...items);
  }
}

/// The pieces of a line that have values, from `since` on.
function runs(points, since) {
  const pieces = [[]];
  for (const point of points) {
    if (point.at < since) continue;
    if (point.value === null) pieces.push([]);
    else pieces.at(-1).push(point);
  }
  return pieces.filter((piece) => piece.length > 1);
}

function nearest(points, at) {
  let found = null;
  for (const point of points) {
    if (found === null || Math.abs(point.at - at) <= Math.abs(found.at - at)) found = point;
  }
  return found?.value ?? null;
}
