/**
 * The samples this page has received, by field, and how they become one table for the plot.
 */
import { isSilence, usualSpacing } from "./spacing.js";

/** @typedef {{times: number[], values: (number | null)[]}} Points  times ascending, Unix seconds */

/**
 * Put what has just been received in its place among what was received before.
 *
 * What lies before or after it is kept: a data node that has just been restarted may have
 * forgotten samples that this page has already shown, and they have not become untrue.
 *
 * @param {Points} old
 * @param {Points} fresh
 * @param {number} keepFrom older samples are dropped, Unix seconds
 * @returns {Points}
 */
export function mergePoints(old, fresh, keepFrom) {
  const first = fresh.times[0] ?? Infinity;
  const last = fresh.times.at(-1) ?? Infinity;
  const begin = old.times.findIndex((time) => time >= keepFrom);
  const headEnd = old.times.findIndex((time) => time >= first);
  const tailBegin = old.times.findIndex((time) => time > last);
  /** @param {"times" | "values"} key */
  const joined = (key) => {
    const list = /** @type {(number | null)[]} */ (old[key]);
    const head = begin < 0 ? [] : list.slice(begin, headEnd < 0 ? undefined : headEnd);
    return [...head, ...fresh[key], ...(tailBegin < 0 ? [] : list.slice(tailBegin))];
  };
  return { times: /** @type {number[]} */ (joined("times")), values: joined("values") };
}

/**
 * Mark real silences by a null in their middle, so that no line is drawn across them.
 *
 * @param {Points} points
 * @returns {Points}
 */
export function withGaps({ times, values }) {
  const usual = usualSpacing(times);
  /** @type {Points} */
  const marked = { times: [], values: [] };
  times.forEach((time, index) => {
    const silence = index > 0 ? time - times[index - 1] : 0;
    if (isSilence(silence, usual)) {
      marked.times.push(time - silence / 2);
      marked.values.push(null);
    }
    marked.times.push(time);
    marked.values.push(values[index]);
  });
  return marked;
}

export class SeriesStore {
  /** @type {Map<string, Points>} */
  #series = new Map();

  /** @param {string} name @param {Points} fresh @param {number} keepFrom Unix seconds */
  merge(name, fresh, keepFrom) {
    this.#series.set(name, mergePoints(this.get(name), fresh, keepFrom));
  }

  /** @param {string} name @returns {Points} */
  get(name) {
    return this.#series.get(name) ?? { times: [], values: [] };
  }

  /** Forget the fields nobody looks at any more. @param {string[]} names to keep */
  keepOnly(names) {
    const wanted = new Set(names);
    for (const name of this.#series.keys()) if (!wanted.has(name)) this.#series.delete(name);
  }
}
