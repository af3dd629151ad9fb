// One chart: curves of several runs over a common axis, with a cross-hair for mouse, touch and keys.
import { count, duration, figure, logTicks, missing, smooth, ticks } from "./numbers.js";

const left = 50, right = 10, top = 10, bottom = 24;
const axes = {
  step: { name: "step", text: count, full: value => value.toLocaleString("en-US") },
  tokens: { name: "tokens", text: count, full: count },
  seconds: { name: "time", text: duration, full: duration },
};

export class Chart {
  // kind: title, unit, part ("training" or "validation"), column, smooths, fromZero, marks, and text for a value.
  constructor(kind, onCross) {
    this.kind = kind;
    this.onCross = onCross;
    this.curves = [];
    this.cross = null;
    this.figure = element("figure", {});
    const caption = element("figcaption", {});
    caption.append(kind.title + " ", element("small", {}, kind.unit));
    this.svg = drawn("svg", { role: "img", tabindex: "0", "aria-label": kind.title });
    this.empty = element("div", { class: "empty" }, "no values yet");
    this.values = element("div", { class: "values", role: "status" });
    this.values.hidden = true;
    this.figure.append(caption, this.svg, this.empty, this.values);
    this.listen();
  }

  // runs: name, colour (a class) and data of those that are shown. Gives back what their curves span along the axis.
  take(runs, options) {
    const { kind } = this;
    this.axis = axes[options.x];
    this.log = options.log && kind.logs;
    this.curves = runs.map(run => curveOf(run, kind, options)).filter(curve => curve.x.length > 0);
    this.empty.hidden = this.curves.length > 0;
    this.svg.setAttribute("aria-label", [kind.title, ...this.curves.map(curve => `${curve.name} ${kind.text(curve.y.findLast(value => value !== null))}`)].join(", "));
    return this.curves.flatMap(curve => [curve.x[0], curve.x.at(-1)]);
  }

  // All charts span the same stretch, so that the cross-hair stands in the same place in each.
  draw(first, last) {
    this.first = first;
    this.last = last > first ? last : first + 1;
    this.render();
  }

  render() {
    const { width, height } = this.svg.getBoundingClientRect();
    this.svg.replaceChildren();
    if (this.curves.length === 0 || width < left + right + 20) return;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.scale(width, height);
    this.drawAxes(width, height);
    const id = `clip-${this.kind.column}`;
    const clip = drawn("clipPath", { id });
    clip.append(drawn("rect", { x: left - 1, y: top - 3, width: width - left - right + 2, height: height - top - bottom + 6 }));
    const group = drawn("g", { "clip-path": `url(#${id})` });
    for (const curve of this.curves.filter(curve => curve.smoothed)) group.append(drawn("path", { class: `raw ${curve.colour}`, d: this.band(curve) }));
    for (const curve of this.curves) {
      group.append(drawn("path", { class: `curve ${curve.colour}`, d: this.path(curve) }));
      if (!this.kind.marks || curve.x.length > width / 12) continue;
      curve.x.forEach((x, i) => curve.y[i] === null || group.append(drawn("circle", { class: `dot ${curve.colour}`, cx: this.atX(x), cy: this.atY(curve.y[i]), r: 2.6 })));
    }
    this.overlay = drawn("g", {});
    this.svg.append(clip, group, this.overlay);
    this.showCross(this.cross, !this.values.hidden);
  }

  // What the axes span. Single wild values run out of the picture rather than flatten everything else.
  scale(width, height) {
    const { first, last } = this;
    let [low, high] = [Infinity, -Infinity];
    for (const curve of this.curves) {
      const known = curve.y.filter(value => value !== null);
      const raw = curve.smoothed ? curve.raw.filter(value => value !== null).sort((a, b) => a - b) : known;
      low = Math.min(low, ...range(known), raw[Math.floor(raw.length * 0.005)]);
      high = Math.max(high, ...range(known), raw[Math.ceil(raw.length * 0.995) - 1]);
    }
    if (this.kind.fromZero) low = Math.min(0, low);
    const log = this.log && low > 0;
    const to = log ? Math.log : value => value;
    let [from, until] = [to(low), to(high)];
    const room = (until - from) * 0.04 || Math.abs(until) * 0.05 || 1;
    from -= this.kind.fromZero && low === 0 ? 0 : room;
    until += room;
    this.domain = { low: log ? Math.exp(from) : from, high: log ? Math.exp(until) : until, log };
    this.atX = x => round(left + (x - first) / (last - first) * (width - left - right));
    this.atY = y => round(height - bottom - ((log ? Math.log(Math.max(y, 1e-300)) : y) - from) / (until - from) * (height - top - bottom));
    this.toX = at => first + (at - left) / (width - left - right) * (last - first);
  }

  drawAxes(width, height) {
    const { first, last } = this, { low, high, log } = this.domain;
    for (const mark of (log ? logTicks : ticks)(low, high, height / 50)) {
      const y = this.atY(mark);
      this.svg.append(drawn("line", { class: "grid", x1: left, x2: width - right, y1: y, y2: y }), drawn("text", { x: left - 7, y: y + 4, "text-anchor": "end" }, this.kind.mark(mark)));
    }
    this.svg.append(drawn("line", { class: "base", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }));
    for (const mark of ticks(first, last, width / 70, this.axis === axes.seconds)) {
      const x = this.atX(mark);
      const anchor = x > width - 30 ? "end" : "middle";
      this.svg.append(drawn("text", { x: anchor === "end" ? width - right + 4 : x, y: height - 7, "text-anchor": anchor }, this.axis.text(mark)));
    }
  }

  path(curve) {
    let [text, pen] = ["", "M"];
    for (let i = 0; i < curve.x.length; i++) {
      if (curve.y[i] === null) {
        pen = "M";
        continue;
      }
      text += `${pen}${this.atX(curve.x[i])},${this.atY(curve.y[i])}`;
      pen = "L";
    }
    // A single value would draw nothing.
    return curve.x.length === 1 ? text + "h0.01" : text;
  }

  // From each point's least to its greatest value: where a point is a single line of the run, that is the line's own value.
  band(curve) {
    let [text, pen] = ["", "M"];
    for (let i = 0; i < curve.x.length; i++) {
      if (curve.raw[i] === null) {
        pen = "M";
        continue;
      }
      const x = this.atX(curve.x[i]);
      text += `${pen}${x},${this.atY(curve.low[i])}`;
      if (curve.high[i] > curve.low[i]) text += `V${this.atY(curve.high[i])}`;
      pen = "L";
    }
    return text;
  }

  listen() {
    const point = event => this.domain && this.curves.length > 0 && this.move(this.toX(event.clientX - this.svg.getBoundingClientRect().left));
    this.svg.addEventListener("pointermove", point);
    this.svg.addEventListener("pointerdown", point);
    this.svg.addEventListener("pointerleave", () => this.leave());
    this.svg.addEventListener("blur", () => this.leave());
    this.svg.addEventListener("keydown", event => {
      if (!this.domain || this.curves.length === 0) return;
      const { first, last } = this;
      const stride = (last - first) / (event.shiftKey ? 10 : 100);
      const now = this.cross ?? last;
      const to = { ArrowLeft: now - stride, ArrowRight: now + stride, Home: first, End: last }[event.key];
      if (event.key === "Escape") this.leave();
      if (to === undefined) return;
      event.preventDefault();
      this.move(to);
    });
    new ResizeObserver(() => this.render()).observe(this.svg);
  }

  move(x) {
    const { first, last } = this;
    x = Math.min(last, Math.max(first, x));
    this.showCross(x, true);
    this.onCross(this, x);
  }

  leave() {
    this.showCross(null, false);
    this.onCross(this, null);
  }

  // The line at x and each curve's nearest point; the values in words only on the chart that is pointed at.
  showCross(x, withValues) {
    this.cross = x;
    this.values.hidden = true;
    if (!this.overlay) return;
    this.overlay.replaceChildren();
    if (x === null || this.curves.length === 0 || x < this.first || x > this.last) return;
    const { width, height } = this.svg.getBoundingClientRect();
    const at = this.atX(x);
    this.overlay.append(drawn("line", { class: "cross", x1: at, x2: at, y1: top, y2: height - bottom }));
    const rows = [element("div", {}, `${this.axis.name} ${this.axis.full(this.axis === axes.seconds ? x : Math.round(x))}`)];
    for (const curve of this.curves) {
      const i = nearest(curve.x, x);
      const outside = x > curve.x.at(-1) || x < curve.x[0];
      const value = outside ? null : curve.y[i];
      if (value !== null) this.overlay.append(drawn("circle", { class: `point ${curve.colour}`, cx: this.atX(curve.x[i]), cy: this.atY(value), r: 4 }));
      const row = element("div", { class: curve.colour });
      row.append(element("i", {}), element("span", {}, curve.name), element("b", {}, value === null ? missing : this.kind.text(value)));
      rows.push(row);
    }
    if (!withValues) return;
    this.values.replaceChildren(...rows);
    this.values.hidden = false;
    // On the side where the cross-hair is not.
    this.values.style.left = at > width / 2 ? `${left + 18}px` : "auto";
    this.values.style.right = at > width / 2 ? "auto" : "18px";
  }
}

function curveOf(run, kind, options) {
  const part = run.data[kind.part];
  const keep = [];
  // Time may stand still, but an axis that runs backwards cannot be drawn.
  part[options.x].forEach((x, i) => x !== null && (keep.length === 0 || x >= part[options.x][keep.at(-1)]) && part[kind.column][i] !== null && keep.push(i));
  const take = column => keep.map(i => part[column][i]);
  const x = take(options.x), raw = take(kind.column);
  const smoothed = kind.smooths && options.smooth > 0 && raw.length > 2;
  return {
    name: run.name, colour: run.colour, x, raw, smoothed,
    low: take(kind.column + "_low"), high: take(kind.column + "_high"),
    y: smoothed ? smooth(x, raw, (x.at(-1) - x[0]) * options.smooth / 100) : raw,
  };
}

// Not Math.min(...values): thousands of arguments are too many for some browsers.
function range(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return [low, high];
}

function nearest(x, wanted) {
  let [low, high] = [0, x.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (x[middle] < wanted) low = middle;
    else high = middle;
  }
  return wanted - x[low] <= x[high] - wanted ? low : high;
}

const round = value => Math.round(value * 10) / 10;

export function element(name, attributes, text) {
  return dress(document.createElement(name), attributes, text);
}

function drawn(name, attributes, text) {
  return dress(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, text);
}

function dress(node, attributes, text) {
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}
