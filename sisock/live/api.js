/**
 * The web server's answers, checked as they come in.
 *
 * Everything that can go wrong with a request ends in an ApiError, whose `kind` says whether the
 * server is silent ("unreachable") or has answered with an error of its own ("refused").
 */

/**
 * @typedef {{name: string, node: string, field: string, units: string | null,
 *            type: "number" | "string" | "bool"}} Field
 * @typedef {{name: string, description: string, connected: boolean, since: number,
 *            last_time: number | null, fields: number}} NodeStatus
 * @typedef {{router: {connected: boolean, since: number, reason: string},
 *            nodes: NodeStatus[], now: number}} Status
 * @typedef {{name: string, time: number, value: number | string | boolean | null}} Latest
 * @typedef {{target: string, times: number[], values: (number | null)[],
 *            error: string | null}} Series
 */

/** Where the API lives, also when a reverse proxy puts the whole server under a prefix. */
const ROOT = new URL("..", import.meta.url);

const SHORT_TIMEOUT_MS = 5_000;
/** The bridge itself answers a query within 20 s, whatever its data nodes do. */
const QUERY_TIMEOUT_MS = 25_000;

export class ApiError extends Error {
  /**
   * @param {"unreachable" | "refused"} kind
   * @param {string} message
   */
  constructor(kind, message) {
    super(message);
    this.name = "ApiError";
    this.kind = kind;
  }
}

/**
 * @param {string} path relative to the server's root
 * @param {{signal: AbortSignal, timeoutMs?: number, body?: object}} options
 * @returns {Promise<any>}
 */
async function fetchJson(path, { signal, timeoutMs = SHORT_TIMEOUT_MS, body }) {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), timeoutMs);
  const giveUp = () => timeout.abort();
  signal.addEventListener("abort", giveUp);
  try {
    const response = await fetch(new URL(path, ROOT), {
      signal: timeout.signal,
      cache: "no-store",
      ...(body && {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      }),
    });
    const text = await response.text();
    if (!response.ok) {
      throw new ApiError("refused", errorText(text) ?? `HTTP ${response.status} from /${path}`);
    }
    return parseJson(text, path);
  } catch (error) {
    if (error instanceof ApiError) throw error;
    signal.throwIfAborted();
    const why = timeout.signal.aborted ? `no answer within ${timeoutMs / 1000} s` : "no connection";
    throw new ApiError("unreachable", why);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", giveUp);
  }
}

/** @param {string} text @param {string} path */
function parseJson(text, path) {
  try {
    return JSON.parse(text);
  } catch {
    throw unexpected(path);
  }
}

/** @param {string} text @returns {string | null} the server's own message, if it sent one */
function errorText(text) {
  try {
    const { message } = JSON.parse(text);
    return typeof message === "string" ? message : null;
  } catch {
    return null;
  }
}

/** @param {string} path */
function unexpected(path) {
  return new ApiError("refused", `the answer to /${path} is not what this page understands`);
}

/**
 * @param {any} answer
 * @param {string} path
 * @param {(item: any) => boolean} isRight
 */
function checkedList(answer, path, isRight) {
  if (!Array.isArray(answer) || !answer.every((item) => item && isRight(item))) {
    throw unexpected(path);
  }
  return answer;
}

/** @param {AbortSignal} signal @returns {Promise<Field[]>} */
export async function getFields(signal) {
  const path = "api/v1/fields";
  return checkedList(
    await fetchJson(path, { signal }),
    path,
    (item) => [item.name, item.node, item.field].every((text) => typeof text === "string"),
  );
}

/** @param {AbortSignal} signal @returns {Promise<Status>} */
export async function getStatus(signal) {
  const path = "api/v1/status";
  const answer = await fetchJson(path, { signal });
  if (typeof answer?.now !== "number" || typeof answer.router?.connected !== "boolean") {
    throw unexpected(path);
  }
  checkedList(answer.nodes, path, (node) => typeof node.name === "string");
  return answer;
}

/** @param {AbortSignal} signal @returns {Promise<Latest[]>} */
export async function getLatest(signal) {
  const path = "api/v1/latest";
  return checkedList(
    await fetchJson(path, { signal }),
    path,
    (item) => typeof item.name === "string" && typeof item.time === "number",
  );
}

/**
 * Ask for the samples of `targets` between two times.
 *
 * @param {{from: number, to: number, points: number, targets: string[]}} question Unix seconds;
 *   `points` is the most points a series may have
 * @param {AbortSignal} signal
 * @returns {Promise<Series[]>} times in Unix seconds
 */
export async function query({ from, to, points, targets }, signal) {
  const answer = await fetchJson("query", {
    signal,
    timeoutMs: QUERY_TIMEOUT_MS,
    body: {
      range: { from: new Date(from * 1000).toISOString(), to: new Date(to * 1000).toISOString() },
      intervalMs: Math.max(1, Math.floor(((to - from) * 1000) / points)),
      maxDataPoints: points,
      targets: targets.map((target, index) => ({ target, refId: `F${index}`, type: "timeserie" })),
    },
  });
  checkedList(
    answer,
    "query",
    (item) => typeof item.target === "string" && Array.isArray(item.datapoints),
  );
  return answer.map((/** @type {any} */ item) => ({
    // The refId is ours; the target in the answer is a legend text that the server may embellish.
    target: targets[Number(String(item.refId).slice(1))] ?? item.target,
    times: item.datapoints.map((/** @type {any} */ point) => point[1] / 1000),
    values: item.datapoints.map((/** @type {any} */ point) =>
      typeof point[0] === "number" ? point[0] : null),
    error: item.meta?.custom?.error ?? null,
  }));
}
