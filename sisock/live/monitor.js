/**
 * Keeps this page's knowledge of the world fresh: asks the web server again and again for its
 * status, its fields, the latest values and the curves that are wanted, whatever happens.
 */
import { ApiError, getFields, getLatest, getStatus, query } from "./api.js";
import { Catalogue } from "./catalogue.js";
import { Poller } from "./poller.js";
import { SeriesStore } from "./series_store.js";
import { ServerClock } from "./server_clock.js";
import { isSilence, SpacingTracker, usualSpacing } from "./spacing.js";

/**
 * @typedef {object} Wanted
 * @property {string[]} names
 * @property {number} from Unix seconds
 * @property {number} to Unix seconds
 * @property {number} points the most points a curve needs
 * @property {boolean} following whether `to` is now
 * @property {number} keepFrom samples before this will not be needed again, Unix seconds
 */

const PERIOD_MS = 1_000;
const FIELDS_PERIOD_MS = 3_000;

/** Between whole refreshes only the newest seconds are asked for, to spare the server. */
const TAIL_S = 20;
const WHOLE_PERIOD_S = { least: 5, most: 60 };

/** A curve is asked for from a little before the plot's edge, so that it enters from there. */
const LEAD_IN = 0.02;

/** In the table a value is stale only after a silence that nobody calls short. */
const STALE_S = 30;
const STALE_UNKNOWN_S = 300;

export class Monitor {
  clock = new ServerClock();
  catalogue = new Catalogue();
  store = new SeriesStore();

  #wanted;
  #onFields;
  #onData;
  /** @type {import("./api.js").Status | null} */
  #status = null;
  /** @type {import("./health.js").Knowledge["serverTrouble"]} */
  #serverTrouble = null;
  #lastStatus = this.clock.now();
  /** @type {Map<string, {since: number, message: string}>} */
  #troubles = new Map();
  /** @type {Map<string, import("./api.js").Latest>} */
  #latest = new Map();
  /** @type {Map<string, string>} */
  #fieldErrors = new Map();
  #fieldSpacing = new SpacingTracker();
  #nodeSpacing = new SpacingTracker();

  #isWholeDue = true;
  #lastWhole = -Infinity;
  #lastData = -Infinity;

  #statusPoller;
  #dataPoller;
  #otherPollers;

  /**
   * @param {{wanted: () => Wanted | null, onFields: () => void, onData: () => void}} page
   *   what to ask curves for now (null = nothing), and whom to tell of news
   */
  constructor({ wanted, onFields, onData }) {
    this.#wanted = wanted;
    this.#onFields = onFields;
    this.#onData = onData;
    this.#statusPoller = new Poller((signal) => this.#askStatus(signal), {
      periodMs: PERIOD_MS,
      onError: (error) => this.#onStatusError(error),
    });
    this.#dataPoller = this.#poller("The plot", PERIOD_MS, (signal) => this.#askData(signal));
    this.#otherPollers = [
      this.#poller("The list of fields", FIELDS_PERIOD_MS, (signal) => this.#askFields(signal)),
      this.#poller("The latest values", PERIOD_MS, (signal) => this.#askLatest(signal)),
    ];
  }

  start() {
    for (const poller of [this.#statusPoller, this.#dataPoller, ...this.#otherPollers]) poller.run();
  }

  /** What is wanted has changed: ask for all of it now. */
  refresh() {
    this.#isWholeDue = true;
    this.#dataPoller.kick();
  }

  /** @returns {number} the end of what can be known: now, or when the server was last heard */
  horizon() {
    return this.#serverTrouble?.since ?? this.clock.now();
  }

  /** @param {Set<string>} watched @returns {import("./health.js").Knowledge} */
  knowledge(watched) {
    const newest = Math.max(
      ...[...this.#latest.values()].map(({ time }) => time),
      ...(this.#status?.nodes ?? []).map(({ last_time }) => last_time ?? -Infinity),
    );
    return {
      now: this.clock.now(),
      serverTrouble: this.#serverTrouble,
      status: this.#status,
      troubles: this.#troubles,
      fieldCount: this.catalogue.presentCount,
      newest: Number.isFinite(newest) ? newest : null,
      watched,
      fieldErrors: this.#fieldErrors,
      usualSpacing: (node) => this.#nodeSpacing.usual(node),
    };
  }

  /** @param {string} name @returns {import("./value_table.js").Reading} */
  reading(name) {
    const latest = this.#latest.get(name);
    if (latest === undefined) return { value: null, age: null, stale: false };
    const age = this.clock.now() - latest.time;
    const stale = isSilence(age, this.#fieldSpacing.usual(name), STALE_S, STALE_UNKNOWN_S);
    return { value: latest.value, age, stale };
  }

  /** @param {string} what @param {number} periodMs @param {(signal: AbortSignal) => Promise<void>} task */
  #poller(what, periodMs, task) {
    return new Poller(
      async (signal) => {
        await task(signal);
        this.#troubles.delete(what);
      },
      {
        periodMs,
        onError: (error) => {
          const since = this.#troubles.get(what)?.since ?? this.clock.now();
          this.#troubles.set(what, { since, message: messageOf(error) });
          // Most likely the server is away as a whole: let the page say so at once.
          if (isUnreachable(error) && this.#serverTrouble === null) this.#statusPoller.kick();
        },
      },
    );
  }

  /** @param {AbortSignal} signal */
  async #askStatus(signal) {
    const begun = performance.now();
    const status = await getStatus(signal);
    this.clock.set(status.now, performance.now() - begun);
    const isBack = this.#serverTrouble !== null || connections(status) !== connections(this.#status);
    this.#status = status;
    this.#serverTrouble = null;
    this.#lastStatus = this.clock.now();
    for (const { name, last_time } of status.nodes) {
      if (last_time !== null) this.#nodeSpacing.observe(name, last_time);
    }
    if (isBack) {
      this.refresh();
      for (const poller of this.#otherPollers) poller.kick();
    }
  }

  /** @param {unknown} error */
  #onStatusError(error) {
    const kind = isUnreachable(error) ? "unreachable" : "refused";
    this.#serverTrouble = { since: this.#lastStatus, kind, message: messageOf(error) };
  }

  /** @param {AbortSignal} signal */
  async #askFields(signal) {
    const fields = await getFields(signal);
    if (this.catalogue.update(fields)) this.#onFields();
  }

  /** @param {AbortSignal} signal */
  async #askLatest(signal) {
    for (const latest of await getLatest(signal)) {
      this.#latest.set(latest.name, latest);
      this.#fieldSpacing.observe(latest.name, latest.time);
    }
  }

  /** @param {AbortSignal} signal */
  async #askData(signal) {
    const wanted = this.#wanted();
    if (wanted === null) return;
    const begun = this.clock.now();
    const span = wanted.to - wanted.from;
    const wholePeriod = Math.min(WHOLE_PERIOD_S.most, Math.max(WHOLE_PERIOD_S.least, span / 60));
    const isWhole = this.#isWholeDue || begun - this.#lastWhole > wholePeriod
      || begun - this.#lastData > TAIL_S / 2;
    if (!isWhole && !wanted.following) return;
    const from = isWhole ? wanted.from - LEAD_IN * span : Math.max(wanted.from, begun - TAIL_S);
    this.#isWholeDue = true;
    const series = await query(
      { from, to: wanted.to, points: wanted.points, targets: wanted.names }, signal);
    this.#isWholeDue = false;
    this.#lastData = begun;
    if (isWhole) this.#lastWhole = begun;
    this.#take(series, wanted);
    if (isWhole) this.#learnSpacings(wanted.names);
    this.#onData();
  }

  /** @param {import("./api.js").Series[]} series @param {Wanted} wanted */
  #take(series, { names, keepFrom }) {
    this.#fieldErrors.clear();
    this.store.keepOnly(names);
    for (const { target, times, values, error } of series) {
      this.store.merge(target, { times, values }, keepFrom);
      if (error !== null) this.#fieldErrors.set(target, error);
    }
  }

  /** @param {string[]} names */
  #learnSpacings(names) {
    /** @type {Map<string, number[]>} */
    const ofNode = new Map();
    for (const name of names) {
      const { times } = this.store.get(name);
      this.#fieldSpacing.learn(name, usualSpacing(times));
      const { node } = this.catalogue.get(name);
      ofNode.set(node, [...(ofNode.get(node) ?? []), ...times]);
    }
    for (const [node, times] of ofNode) {
      const distinct = [...new Set(times)].sort((a, b) => a - b);
      this.#nodeSpacing.learn(node, usualSpacing(distinct));
    }
  }
}

/** Who is connected since when: a change means that there may be data to catch up with.
 * @param {import("./api.js").Status | null} status */
function connections(status) {
  return status && JSON.stringify([
    status.router.connected,
    status.nodes.map(({ name, connected, since }) => [name, connected, since]),
  ]);
}

/** @param {unknown} error */
const isUnreachable = (error) => error instanceof ApiError && error.kind === "unreachable";

/** @param {unknown} error */
function messageOf(error) {
  if (error instanceof ApiError) return error.message;
  // A fault of this page itself: let whoever looks into the browser's console find it.
  console.error(error);
  return "this page has a fault, see the browser's console";
}
