/**
 * What the person has chosen, kept in the address after the `#`, so that a reload, a bookmark
 * and a restarted server all come back to the same picture.
 */

/**
 * @typedef {object} ViewState
 * @property {number} rangeS how many seconds up to now are shown
 * @property {string[] | null} fields chosen fields; null = nobody has chosen, use the default
 * @property {Set<string>} log quantities drawn on a logarithmic axis
 * @property {boolean} picker whether the list of fields is open
 */

/** Range in the address -> [label, seconds]. @type {Map<string, [string, number]>} */
export const RANGES = new Map([
  ["5min", ["5 min", 300]],
  ["15min", ["15 min", 900]],
  ["30min", ["30 min", 1800]],
  ["1h", ["1 h", 3600]],
  ["3h", ["3 h", 10800]],
  ["6h", ["6 h", 21600]],
]);

const DEFAULT_RANGE = "5min";

/** A cryostat's temperatures span four decades: on a linear axis only the warmest can be read. */
const DEFAULT_LOG = "temperature";

/** Encode for the address, but leave the `::` of field names readable. @param {string} text */
const encode = (text) => encodeURIComponent(text).replaceAll("%3A", ":").replaceAll("%20", "+");

/** @param {string} text */
function decode(text) {
  const spaced = text.replaceAll("+", " ");
  try {
    return decodeURIComponent(spaced);
  } catch {
    // A hand-made address with a stray %: take it as it stands.
    return spaced;
  }
}

/** @param {string} list */
const decodeList = (list) => list.split(",").filter(Boolean).map(decode);

/** @param {string} hash with or without its # @returns {ViewState} */
export function parseHash(hash) {
  /** @type {Map<string, string>} */
  const parts = new Map();
  for (const part of hash.replace(/^#/, "").split("&")) {
    const [key, ...value] = part.split("=");
    parts.set(key, value.join("="));
  }
  const range = RANGES.get(parts.get("last") ?? "") ?? RANGES.get(DEFAULT_RANGE);
  const fields = parts.get("fields");
  return {
    rangeS: /** @type {[string, number]} */ (range)[1],
    fields: fields === undefined ? null : [...new Set(decodeList(fields))],
    log: new Set(decodeList(parts.get("log") ?? DEFAULT_LOG)),
    picker: parts.get("picker") !== "off",
  };
}

/** @param {ViewState} state @returns {string} "" when everything is at its default */
export function formatHash(state) {
  const parts = [];
  const range = [...RANGES].find(([, [, seconds]]) => seconds === state.rangeS);
  if (range && range[0] !== DEFAULT_RANGE) parts.push(`last=${range[0]}`);
  const log = [...state.log].sort().map(encode).join(",");
  if (log !== DEFAULT_LOG) parts.push(`log=${log}`);
  if (!state.picker) parts.push("picker=off");
  if (state.fields !== null) parts.push(`fields=${state.fields.map(encode).join(",")}`);
  return parts.length > 0 ? `#${parts.join("&")}` : "";
}
