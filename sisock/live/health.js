/**
 * What the page says about its connection, in plain words.
 *
 * The worst cause is told alone: while the web server is silent nothing is known about the
 * router, and while the router is away nothing is known about the instruments.
 */
import { clockTime, duration, fineDuration, moment } from "./format.js";
import { isSilence } from "./spacing.js";

/**
 * @typedef {string | {counting: string}} Part  counting text changes every second and is not
 *   read out by screen readers again and again
 * @typedef {{level: "ok" | "note" | "starting" | "warn" | "bad", parts: Part[]}} Line
 * @typedef {"live" | "stale" | "disconnected" | "starting"} State
 *
 * @typedef {object} Knowledge
 * @property {number} now the server's time, Unix seconds
 * @property {{since: number, kind: string, message: string} | null} serverTrouble
 * @property {import("./api.js").Status | null} status
 * @property {Map<string, {since: number, message: string}>} troubles what cannot be refreshed,
 *   though the server answers ("The plot" -> why)
 * @property {number} fieldCount
 * @property {number | null} newest time of the newest sample of all, Unix seconds
 * @property {Set<string>} watched instruments with a chosen field
 * @property {Map<string, string>} fieldErrors what the server said about chosen fields
 * @property {(node: string) => number} usualSpacing seconds; NaN = not known
 */

/** A feed is collected for some seconds before it is sent: shorter silences are normal. */
const SHORTEST_SILENCE_S = 10;
const UNKNOWN_SILENCE_S = 15;

/** A sample from the future by more than this means that two clocks disagree. */
const CLOCK_TOLERANCE_S = 5;

const MOST_FIELD_ERRORS = 2;

/** One failed request that the next one makes good is not worth a word. */
const BRIEF_TROUBLE_S = 3;

/** @param {number} since @param {number} now @returns {Part[]} "12:03:22, 14 s" */
const sinceParts = (since, now) => [
  `${moment(since, now)}`, { counting: `, ${duration(now - since)}` },
];

/** @param {Knowledge} known @returns {{state: State, lines: Line[]}} */
export function describe(known) {
  return serverLines(known) ?? routerLines(known) ?? instrumentLines(known);
}

/** @param {Knowledge} known @returns {{state: State, lines: Line[]} | null} */
function serverLines({ serverTrouble, status, now }) {
  if (serverTrouble === null) {
    if (status !== null) return null;
    return { state: "starting", lines: [{ level: "starting", parts: ["Starting: asking the web server …"] }] };
  }
  const since = sinceParts(serverTrouble.since, now);
  const silent = serverTrouble.kind === "unreachable";
  const what = silent
    ? ["The web server does not answer (since ", ...since, ")."]
    : [`The web server reports an error: ${serverTrouble.message} (since `, ...since, ")."];
  const plot = status === null ? "" : " The plot shows what was received until then.";
  return { state: "disconnected", lines: [{ level: "bad", parts: [...what, `${plot} Retrying.`] }] };
}

/** @param {Knowledge} known @returns {{state: State, lines: Line[]} | null} */
function routerLines({ status, now }) {
  if (status === null || status.router.connected) return null;
  const { since, reason } = status.router;
  const why = reason ? ` The web server says: ${reason}.`.replace(/\.\.$/, ".") : "";
  return {
    state: "disconnected",
    lines: [{
      level: "bad",
      parts: ["Router disconnected since ", ...sinceParts(since, now), `.${why}`,
        " No new data until it is back. Retrying."],
    }],
  };
}

/** @param {Knowledge} known @returns {{state: State, lines: Line[]}} */
function instrumentLines(known) {
  const nodes = known.status?.nodes ?? [];
  const names = new Set(nodes.map(({ name }) => name));
  /** @type {Line[]} */
  const gone = [...known.watched].filter((name) => !names.has(name)).map((name) => ({
    level: "bad",
    parts: [`Instrument ${name}: the web server knows no data node of this name. Waiting for it.`],
  }));
  const left = nodes.filter(({ connected }) => !connected);
  gone.push(...left.map((node) => leftLine(node, known)));
  const silent = nodes.flatMap((node) => silentLine(node, known));

  if (gone.some(({ level }) => level === "bad")) {
    // Requests that fail now fail for this reason: it is told once.
    return { state: "disconnected", lines: [...gone, ...silent] };
  }
  const troubles = [...gone, ...silent, ...troubleLines(known), ...fieldLines(known)];
  if (troubles.some(({ level }) => level === "warn")) return { state: "stale", lines: troubles };
  if (known.newest === null) return { state: "starting", lines: [waitingLine(known), ...troubles] };
  return { state: "live", lines: [liveLine(known, known.newest), ...troubles] };
}

/** @param {import("./api.js").NodeStatus} node @param {Knowledge} known @returns {Line} */
function leftLine(node, { watched, now }) {
  // An instrument nobody looks at may be off for a month; that must not paint the wall red.
  const level = watched.has(node.name) ? "bad" : "note";
  const ago = { counting: ` (${duration(now - node.since)} ago)` };
  const parts = [`Instrument ${node.name}: its data node left at ${moment(node.since, now)}`, ago, "."];
  return { level, parts };
}

/** @param {import("./api.js").NodeStatus} node @param {Knowledge} known @returns {Line[]} */
function silentLine(node, { watched, now, usualSpacing }) {
  if (!node.connected || !watched.has(node.name)) return [];
  if (node.last_time === null) {
    const parts = [`Instrument ${node.name}: its data node has no sample yet. Is acquisition running?`];
    return [{ level: "warn", parts }];
  }
  const age = now - node.last_time;
  if (age < -CLOCK_TOLERANCE_S) {
    const parts = [`Instrument ${node.name}: its samples are stamped `, { counting: duration(-age) },
      " in the future. Compare the clocks of its computer and of the web server."];
    return [{ level: "note", parts }];
  }
  if (!isSilence(age, usualSpacing(node.name), SHORTEST_SILENCE_S, UNKNOWN_SILENCE_S)) return [];
  const parts = [`No new data from ${node.name} for `, { counting: duration(age) },
    ` (last sample ${moment(node.last_time, now)}): is acquisition running?`];
  return [{ level: "warn", parts }];
}

/** @param {Knowledge} known @returns {Line[]} */
function troubleLines({ troubles, now }) {
  return [...troubles]
    .filter(([, { since }]) => now - since > BRIEF_TROUBLE_S)
    .map(([what, { since, message }]) => ({
      level: "warn",
      parts: [`${what} could not be refreshed since `, ...sinceParts(since, now), `: ${message}. Retrying.`],
    }));
}

/** @param {Knowledge} known @returns {Line[]} */
function fieldLines({ fieldErrors, status }) {
  // Of an instrument that has left, its own line says all there is to say.
  const connected = (status?.nodes ?? []).filter((node) => node.connected).map(({ name }) => name);
  const errors = [...fieldErrors].filter(([name]) => connected.includes(name.split("::")[0]));
  const told = errors.slice(0, MOST_FIELD_ERRORS);
  const more = errors.length - told.length;
  /** @type {Line[]} */
  const lines = told.map(([name, error]) => ({ level: "note", parts: [`${name}: ${error}`] }));
  if (more > 0) lines.push({ level: "note", parts: [`The same for ${more} more fields.`] });
  return lines;
}

/** @param {Knowledge} known @returns {Line} */
function waitingLine({ fieldCount }) {
  const text = fieldCount === 0
    ? "Connected. No instrument has sent anything yet; fields appear here as they come."
    : "Connected. Waiting for the first sample.";
  return { level: "starting", parts: [text] };
}

/** @param {Knowledge} known @param {number} newest @returns {Line} */
function liveLine({ now, fieldCount }, newest) {
  const fields = fieldCount === 1 ? "1 field" : `${fieldCount} fields`;
  const parts = [`Live: ${fields}`, { counting: `, newest sample ${fineDuration(now - newest)} ago` }];
  return { level: "ok", parts };
}

/** For the window's title, seen while another tab is in front.
 * @param {State} state @param {number} now */
export function titleOf(state, now) {
  const words = { live: "Live data", stale: "No new data", disconnected: "Disconnected", starting: "Starting" };
  return state === "live" ? words.live : `${words[state]} (${clockTime(now).slice(0, 5)}) – live data`;
}
