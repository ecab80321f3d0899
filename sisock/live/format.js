/**
 * Numbers and times as a person reads them.
 */

/** @param {number} n */
const two = (n) => String(n).padStart(2, "0");

/** @param {number} time Unix seconds @returns {string} local "12:03:22" */
export function clockTime(time) {
  const date = new Date(time * 1000);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** @param {number} time Unix seconds @returns {string} local "2026-11-22" */
export function dayOf(time) {
  const date = new Date(time * 1000);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** @param {number} time Unix seconds @param {number} now @returns {string} with its day if not today */
export function moment(time, now) {
  return dayOf(time) === dayOf(now) ? clockTime(time) : `${dayOf(time)} ${clockTime(time)}`;
}

/** @param {number} seconds @returns {string} "14 s", "3 min", "2 h 5 min", "4 d 3 h" */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 120) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return hours % 24 ? `${Math.floor(hours / 24)} d ${hours % 24} h` : `${hours / 24} d`;
}

/** @param {number} seconds @returns {string} like duration, with tenths below ten seconds */
export function fineDuration(seconds) {
  return seconds < 10 ? `${Math.max(0, seconds).toFixed(1)} s` : duration(seconds);
}

/**
 * A measured value with five digits, which is what a thermometer is good for.
 *
 * @param {number | string | boolean | null | undefined} value
 */
export function measured(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  const size = Math.abs(value);
  if (value === 0) return "0";
  if (size >= 1e9 || size < 1e-4) return value.toExponential(4).replace("-", "−");
  const digits = size >= 99_999.5 ? value.toFixed(0) : value.toPrecision(5);
  return digits.replace("-", "−");
}

/**
 * Tick labels of a y axis: as many decimals as tell neighbours apart.
 *
 * @param {(number | null)[]} splits null = a tick without a label
 * @param {number} increment between ticks
 */
export function tickValues(splits, increment) {
  let decimals = 0;
  // Increments are like 0.25 as well as like 0.1: count until nothing is left behind the point.
  while (decimals < 9 && Math.abs((increment * 10 ** decimals) % 1) > 1e-6
    && Math.abs((increment * 10 ** decimals) % 1 - 1) > 1e-6) decimals += 1;
  const extreme = splits.some((value) => value !== null && Math.abs(value) >= 1e6) ||
    increment < 1e-6;
  return splits.map((value) => {
    if (value === null) return null;
    return (extreme ? value.toExponential() : value.toFixed(decimals)).replace("-", "−");
  });
}

/** Tick labels of a logarithmic axis. @param {(number | null)[]} splits */
export function logTickValues(splits) {
  return splits.map((value) => {
    if (value === null) return null;
    const plain = value >= 1e-4 && value < 1e6;
    return plain ? String(Number(value.toPrecision(6))) : value.toExponential().replace("-", "−");
  });
}

/**
 * Tick labels of the time axis; the first of each day carries the date below.
 *
 * @param {number[]} splits Unix seconds
 * @param {number} increment seconds between ticks
 */
export function timeTicks(splits, increment) {
  let day = "";
  return splits.map((time) => {
    const millis = Math.round((time % 1) * 1000);
    const clock = clockTime(Math.floor(time));
    const label = increment < 1 ? `${clock}.${String(millis).padStart(3, "0")}`
      : increment < 60 ? clock : clock.slice(0, 5);
    const isNewDay = dayOf(time) !== day;
    day = dayOf(time);
    return isNewDay ? `${label}\n${day}` : label;
  });
}
