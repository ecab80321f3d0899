/**
 * How often samples usually come, and from which silence on a person should be told.
 */

/** A silence counts only if it is this many times longer than usual... */
export const MANY_TIMES = 5;

/** @param {number[]} numbers @returns {number} NaN for none */
export function median(numbers) {
  return numbers.length === 0 ? NaN : [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
}

/** ...and at least this long, in seconds. */
const SHORTEST_GAP_S = 10;

/** A pause that comes back at least so often, as a share of all spacings, is a rhythm. */
const RHYTHM_SHARE = 0.02;

/**
 * The usual time between samples, in seconds; NaN when there are fewer than two.
 *
 * A scanner reads a channel in bursts: ten samples, then a minute for the other channels. The
 * plain median would take that minute for a fault; when such pauses recur, they are the measure.
 *
 * @param {number[]} times ascending, seconds
 */
export function usualSpacing(times) {
  const spacings = times.slice(1).map((time, index) => time - times[index]);
  const typical = median(spacings);
  const long = spacings.filter((spacing) => isSilence(spacing, typical));
  const isRhythm = long.length >= 3 && long.length >= RHYTHM_SHARE * spacings.length;
  return isRhythm ? median(long) : typical;
}

/**
 * @param {number} silenceS
 * @param {number} usualS NaN = not known
 * @param {number} shortestS silences up to this are nothing to mention
 * @param {number} unknownS the limit while the usual spacing is not known
 */
export function isSilence(silenceS, usualS, shortestS = SHORTEST_GAP_S, unknownS = Infinity) {
  const limit = Number.isNaN(usualS) ? unknownS : Math.max(shortestS, MANY_TIMES * usualS);
  return silenceS > limit;
}

/** Learns the usual spacing of many things from the times at which they were seen to move on. */
export class SpacingTracker {
  /** @type {Map<string, {last: number, seen: number[], told: number}>} */
  #entries = new Map();

  /** @param {string} key */
  #entry(key) {
    const entry = this.#entries.get(key) ?? { last: -Infinity, seen: [], told: NaN };
    this.#entries.set(key, entry);
    return entry;
  }

  /** @param {string} key @param {number} time of its newest sample, seconds */
  observe(key, time) {
    const entry = this.#entry(key);
    if (time <= entry.last) return;
    if (Number.isFinite(entry.last)) entry.seen = [...entry.seen.slice(-20), time - entry.last];
    entry.last = time;
  }

  /** Take over what its curve tells: known at once, where observing needs a while.
   * @param {string} key @param {number} spacingS */
  learn(key, spacingS) {
    if (!Number.isNaN(spacingS)) this.#entry(key).told = spacingS;
  }

  /** @param {string} key @returns {number} seconds; NaN when not known */
  usual(key) {
    const { seen, told } = this.#entry(key);
    if (seen.length < 3) return told;
    // The curve knows a scanner's rhythm, which a few observations inside a burst do not.
    return Number.isNaN(told) ? median(seen) : Math.max(median(seen), told);
  }
}
