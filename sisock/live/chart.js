/**
 * One uPlot chart: several fields, each with times of its own, on one axis.
 */
import uPlot from "./vendor/uplot/uPlot.esm.js";
import { logTickValues, tickValues, timeTicks } from "./format.js";
import { withGaps } from "./series_store.js";

/**
 * @typedef {object} ChartOptions
 * @property {{label: string, colour: string, dash: number[]}[]} lines
 * @property {boolean} log
 * @property {{ink: string, grid: string}} colours
 * @property {(from: number, to: number) => void} onZoom
 * @property {() => void} onResume
 * @property {(cursor: {time: number, values: (number | null)[]} | null) => void} onCursor
 * @property {(index: number | null) => void} onFocus the line nearest to the pointer
 */

const FONT = "14px system-ui, sans-serif";

/** Same for all charts, so that equal times stand below each other. */
const Y_AXIS_WIDTH = 72;

/** Samples further apart than this on the screen are shown as points. */
const POINT_SPACE_PX = 12;

/** How far beside the end of a curve the pointer still reads it. */
const CURSOR_REACH_PX = 40;

export class Chart {
  #host;
  #plot;
  #log;

  /** @param {HTMLElement} host sized by the style sheet @param {ChartOptions} options */
  constructor(host, options) {
    this.#host = host;
    this.#log = options.log;
    this.#plot = new uPlot(this.#uplotOptions(options), [[0, 1], ...options.lines.map(() => [])], host);
  }

  destroy() {
    this.#plot.destroy();
  }

  /** Width of the drawing area: no series needs more points than this. */
  get width() {
    return Math.max(50, Math.round(this.#host.clientWidth - Y_AXIS_WIDTH));
  }

  fit() {
    const { clientWidth: width, clientHeight: height } = this.#host;
    if (width > 0 && height > 0 && (width !== this.#plot.width || height !== this.#plot.height)) {
      this.#plot.setSize({ width, height });
    }
  }

  /** Let one line stand out. @param {number | null} index */
  focus(index) {
    this.#plot.setSeries(index === null ? null : index + 1, { focus: true });
  }

  /**
   * @param {import("./series_store.js").Points[]} series in the order of `lines`
   * @param {number} from Unix seconds
   * @param {number} to Unix seconds
   * @returns {{drawn: number, hidden: number}} samples in the window, and how many of them a
   *   logarithmic axis cannot show
   */
  draw(series, from, to) {
    const count = { drawn: 0, hidden: 0 };
    const tables = series.map((points) => {
      const { times, values } = withGaps(points);
      return [times, this.#drawable(times, values, from, to, count)];
    });
    // The window's ends as times without samples: an axis is drawn even when there is no data.
    const data = uPlot.join([[[from, to]], ...tables]);
    this.#plot.batch(() => {
      this.#plot.setData(data, false);
      this.#plot.setScale("x", { min: from, max: to });
    });
    return count;
  }

  /**
   * @param {number[]} times @param {(number | null)[]} values
   * @param {number} from @param {number} to
   * @param {{drawn: number, hidden: number}} count is added to
   */
  #drawable(times, values, from, to, count) {
    return values.map((value, index) => {
      if (value === null) return null;
      const inside = times[index] >= from && times[index] <= to;
      const fits = !this.#log || value > 0;
      if (inside) count[fits ? "drawn" : "hidden"] += 1;
      return fits ? value : null;
    });
  }

  /** @param {ChartOptions} options */
  #uplotOptions({ lines, log, colours, onZoom, onResume, onCursor, onFocus }) {
    const axis = {
      stroke: colours.ink,
      font: FONT,
      grid: { stroke: colours.grid, width: 1 },
      ticks: { stroke: colours.grid, width: 1 },
    };
    return {
      width: Math.max(200, this.#host.clientWidth),
      height: Math.max(150, this.#host.clientHeight),
      legend: { show: false },
      focus: { alpha: 0.35 },
      scales: {
        x: { time: true, auto: false },
        y: log ? { distr: 3, range: logRange } : {},
      },
      axes: [
        { ...axis, values: (_u, splits, _axis, _space, incr) => timeTicks(splits, incr), size: 58, space: 90 },
        {
          ...axis,
          size: Y_AXIS_WIDTH,
          values: (_u, splits, _axis, _space, incr) => (log ? logTickValues(splits) : tickValues(splits, incr)),
        },
      ],
      series: [
        {},
        ...lines.map(({ label, colour, dash }) => ({
          label,
          stroke: colour,
          width: 2,
          dash,
          points: { show: areFew, filter: lonely, size: 6, width: 0, fill: colour },
        })),
      ],
      cursor: {
        sync: { key: "live", setSeries: false },
        drag: { x: true, y: false, setScale: false },
        focus: { prox: 24 },
        dataIdx: nearestSample,
        points: { size: 9 },
        bind: { dblclick: () => () => { onResume(); return null; } },
      },
      hooks: {
        setSelect: [(u) => {
          const { left, width } = u.select;
          if (width < 3) return;
          onZoom(u.posToVal(left, "x"), u.posToVal(left + width, "x"));
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        }],
        setCursor: [(u) => {
          const { left, idxs } = u.cursor;
          if (left < 0) return onCursor(null);
          const values = lines.map((_line, index) => {
            const at = idxs[index + 1];
            return at === null || at === undefined ? null : u.data[index + 1][at] ?? null;
          });
          onCursor({ time: u.posToVal(left, "x"), values });
        }],
        setSeries: [(_u, index, change) => {
          if ("focus" in change) onFocus(index === null ? null : index - 1);
        }],
      },
    };
  }
}

/** @param {uPlot} _u @param {number | null} min @param {number | null} max */
function logRange(_u, min, max) {
  if (min === null || max === null) return [null, null];
  // To the next round value, not to the next power of ten: most of the paper is for the curves.
  const [below] = uPlot.rangeLog(min, min * 1.01, 10, false);
  const step = 10 ** Math.floor(Math.log10(max * 1.01));
  return [below, Math.ceil((max * 1.01) / step) * step];
}

/** The indices of the samples of a series among the times of all of them.
 * @param {uPlot} u @param {number} series @param {number} first @param {number} last */
function samplesOf(u, series, first, last) {
  const column = u.data[series];
  const found = [];
  for (let index = first; index <= last; index += 1) {
    if (column[index] !== undefined) found.push(index);
  }
  return found;
}

/** @param {uPlot} u @param {number} series @param {number} first @param {number} last */
function areFew(u, series, first, last) {
  const room = u.over.clientWidth / POINT_SPACE_PX;
  return samplesOf(u, series, first, last).length <= room;
}

/** A sample between two gaps has no line and would be invisible without a point.
 * @param {uPlot} u @param {number} series @param {boolean} allShown */
function lonely(u, series, allShown) {
  if (allShown) return null;
  const column = u.data[series];
  const samples = samplesOf(u, series, 0, column.length - 1);
  const found = samples.filter((at, index) =>
    column[at] !== null
    && (column[samples[index - 1]] ?? null) === null
    && (column[samples[index + 1]] ?? null) === null);
  return found.length > 0 ? found : null;
}

/**
 * The sample of a series to read at the pointer: the nearest one, but not across a gap.
 *
 * @param {uPlot} u @param {number} series @param {number} closest index among all times
 * @param {number} time at the pointer
 */
function nearestSample(u, series, closest, time) {
  if (series === 0) return closest;
  const [times] = u.data;
  const column = u.data[series];
  let left = closest;
  while (left >= 0 && (column[left] === undefined || times[left] > time)) left -= 1;
  let right = closest;
  while (right < times.length && (column[right] === undefined || times[right] < time)) right += 1;
  const hasLeft = (column[left] ?? null) !== null;
  const hasRight = (column[right] ?? null) !== null;
  if (hasLeft && hasRight) return time - times[left] < times[right] - time ? left : right;
  const end = hasLeft ? left : right;
  const reach = Math.abs(u.valToPos(times[end] ?? Infinity, "x") - u.valToPos(time, "x"));
  return (hasLeft || hasRight) && reach <= CURSOR_REACH_PX ? end : null;
}
