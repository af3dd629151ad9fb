// Numbers as text, marks along an axis, and smoothing.

export const missing = "–";

// Up to so many significant digits, without zeros at the end; powers of ten where a plain number would be long.
export function figure(value, digits = 4) {
  if (value === null || value === undefined || !Number.isFinite(value)) return missing;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-4 || size >= 1e15) return value.toExponential(Math.max(0, Math.min(digits, 3) - 1)).replace(/\.?0+e/, "e").replace("e+", "e");
  return String(Number(value.toPrecision(digits)));
}

// 12, 3.4K, 5.6M: for counts on axes and in rows.
export function count(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return missing;
  const names = ["", "K", "M", "B", "T"];
  let at = 0;
  while (Math.abs(value) >= 999.5 && at < names.length - 1) {
    value /= 1000;
    at++;
  }
  return figure(value, 3) + names[at];
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return missing;
  const whole = Math.max(0, Math.round(seconds));
  const [days, hours, minutes] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60];
  if (days > 0) return `${days}d ${hours}h`;
  if (hours > 0) return `${hours}h ${String(minutes).padStart(2, "0")}m`;
  if (minutes > 0) return whole % 60 === 0 ? `${minutes}m` : `${minutes}m ${String(whole % 60).padStart(2, "0")}s`;
  return `${seconds > 0 && seconds < 1 ? seconds.toFixed(1) : whole}s`;
}

// About so many round values between two; base 60 gives round minutes and hours.
export function ticks(low, high, wanted, ofTime = false) {
  const rough = (high - low) / Math.max(1, wanted);
  if (!(rough > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  let step = [1, 2, 5, 10].map(factor => factor * power).find(candidate => candidate >= rough * 0.999);
  if (ofTime && rough > 1) step = [2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400].find(candidate => candidate >= rough) ?? Math.ceil(rough / 86400) * 86400;
  const marks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) marks.push(Number((i * step).toPrecision(12)));
  return marks;
}

// 1, 2 and 5 of every power of ten; where that gives too few marks, plain ones.
export function logTicks(low, high, wanted) {
  const marks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const factor of [1, 2, 5]) {
      const mark = Number((factor * 10 ** power).toPrecision(3));
      if (mark >= low && mark <= high) marks.push(mark);
    }
  }
  if (marks.length < 3) return ticks(low, high, wanted);
  return marks.length > 2 * wanted ? marks.filter(mark => /^1(e|0|$)|^0?\.0*1$/.test(String(mark))) : marks;
}

// At each point the line through what lies around it, weighted by exp(-distance / reach): no lag where a curve falls, and no
// flat ends, unlike a mean.
export function smooth(x, y, reach) {
  if (!(reach > 0) || y.length < 3) return y;
  const before = sweep(x, y, reach, 0, 1), after = sweep(x, y, reach, y.length - 1, -1);
  return y.map((value, i) => {
    // Both sweeps count the point itself, which lies at distance 0. Sums of weights, w d, w d d, w y and w d y.
    const [b, a] = [before[i], after[i]];
    const [w, wd, wdd, wy, wdy] = [b[0] + a[0] - 1, b[1] + a[1], b[2] + a[2], b[3] + a[3] - value, b[4] + a[4]];
    const determinant = w * wdd - wd * wd;
    return determinant > 1e-9 * w * wdd ? (wdd * wy - wd * wdy) / determinant : wy / w;
  });
}

function sweep(x, y, reach, from, by) {
  const sums = new Array(y.length);
  let [w, wd, wdd, wy, wdy] = [0, 0, 0, 0, 0];
  for (let i = from; i >= 0 && i < y.length; i += by) {
    // Distances are from the point at hand, so all of them grow by the same piece, in units of the reach.
    const piece = i === from ? 0 : (x[i - by] - x[i]) / reach, kept = Math.exp(-Math.abs(piece));
    wdd = kept * (wdd + 2 * piece * wd + piece * piece * w);
    wdy = kept * (wdy + piece * wy);
    wd = kept * (wd + piece * w);
    w = kept * w + 1;
    wy = kept * wy + y[i];
    sums[i] = [w, wd, wdd, wy, wdy];
  }
  return sums;
}
