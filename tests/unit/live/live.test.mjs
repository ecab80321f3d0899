// The pure parts of the live page, without a browser: node --test tests/unit/live/*.test.mjs
import assert from "node:assert/strict";
import { test } from "node:test";

const LIVE = "../../../sisock/live";
const { Catalogue, quantityOf } = await import(`${LIVE}/catalogue.js`);
const { duration, fineDuration, measured, tickValues, timeTicks } = await import(`${LIVE}/format.js`);
const { describe } = await import(`${LIVE}/health.js`);
const { lineStyle } = await import(`${LIVE}/palette.js`);
const { mergePoints, withGaps } = await import(`${LIVE}/series_store.js`);
const { isSilence, SpacingTracker, usualSpacing } = await import(`${LIVE}/spacing.js`);
const { formatHash, parseHash } = await import(`${LIVE}/view_state.js`);

const field = (name, units = null, type = "number") => {
  const [node, short] = name.split("::");
  return { name, node, field: short, units, type };
};
const points = (...times) => ({ times, values: times.map((time) => time * 10) });
const every = (spacing, count, start = 0) => Array.from({ length: count }, (_, i) => start + i * spacing);
const text = ({ lines }) => lines.map(({ parts }) => parts.map((p) => p.counting ?? p).join("")).join("|");

test("a view survives its way through the address, whatever the names hold", () => {
  const view = {
    rangeS: 3600, log: new Set(["in K,&=%#"]), picker: false,
    fields: ["LSA23JD::channel_01_t", "W::a,b&c=d#e%f g+h<i>\u00e4"],
  };
  const hash = formatHash(view);
  assert.deepEqual(parseHash(hash), view);
  assert.match(hash, /^#last=1h&log=.*&picker=off&fields=LSA23JD::channel_01_t,/);
});

test("an empty address means the default, an empty list means nothing", () => {
  assert.equal(parseHash("").fields, null);
  assert.equal(formatHash(parseHash("")), "");
  assert.deepEqual(parseHash("#fields=").fields, []);
  assert.equal(parseHash("#last=nonsense&fields=%E0%").rangeS, 300);
});

test("what was received stays when the server has forgotten it", () => {
  const merged = mergePoints(points(1, 2, 3, 4), { times: [3, 3.5], values: [0, 0] }, 2);
  assert.deepEqual(merged, { times: [2, 3, 3.5, 4], values: [20, 0, 0, 40] });
  assert.deepEqual(mergePoints(points(1, 2), points(), 0), points(1, 2));
  assert.deepEqual(mergePoints(points(1, 2), points(5), 3), points(5));
});

test("only a silence far longer than usual breaks the line", () => {
  assert.deepEqual(withGaps(points(0, 1, 2, 3, 10)), points(0, 1, 2, 3, 10));
  const broken = withGaps(points(0, 1, 2, 3, 23));
  assert.deepEqual(broken.times, [0, 1, 2, 3, 13, 23]);
  assert.equal(broken.values[4], null);
  const slow = points(...every(60, 9));
  assert.deepEqual(withGaps(slow), slow);
});

test("a scanner's rhythm of bursts and pauses is no fault", () => {
  const bursts = every(75, 8).flatMap((start) => every(0.5, 10, start));
  assert.ok(usualSpacing(bursts) > 60);
  assert.ok(!withGaps(points(...bursts)).values.includes(null));
  const stoppedThrice = every(1000, 4).flatMap((start) => every(1, 400, start));
  assert.equal(withGaps(points(...stoppedThrice)).values.filter((value) => value === null).length, 3);
});

test("the tracker learns from what it sees and from the curve", () => {
  const tracker = new SpacingTracker();
  assert.ok(Number.isNaN(tracker.usual("a")));
  for (const time of [0, 1, 1, 2, 3]) tracker.observe("a", time);
  assert.equal(tracker.usual("a"), 1);
  tracker.learn("a", 70);
  assert.equal(tracker.usual("a"), 70);
  assert.ok(isSilence(400, 70, 30) && !isSilence(300, 70, 30) && !isSilence(20, 1, 30));
  assert.ok(!isSilence(100, NaN, 30, 300) && isSilence(301, NaN, 30, 300));
});

test("the default is the first instrument's temperatures and grows with them", () => {
  const catalogue = new Catalogue();
  assert.deepEqual(catalogue.defaultChoice(), []);
  catalogue.update([field("M::channel_10_t"), field("M::channel_2_t"), field("M::channel_2_r")]);
  assert.deepEqual(catalogue.defaultChoice(), ["M::channel_2_t", "M::channel_10_t"]);
  catalogue.update([field("A::channel_1_t"), field("M::channel_1_t")]);
  assert.deepEqual(catalogue.defaultChoice(), ["M::channel_1_t", "M::channel_2_t", "M::channel_10_t"]);
  catalogue.update([]);
  assert.equal(catalogue.defaultChoice().length, 3);
  assert.ok(!catalogue.isPresent("M::channel_1_t"));
});

test("quantities come from the name, then from the unit", () => {
  const id = (...args) => quantityOf(field(...args)).id;
  assert.equal(id("L::Channel_01_T"), "temperature");
  assert.equal(id("L::channel_01_r", "Ohm"), "resistance");
  assert.equal(id("L::wind", "km/h"), "in km/h");
  assert.equal(id("L::t"), "values");
  assert.equal(id("L::mode_t", null, "string"), "states");
});

test("32 lines have 32 looks", () => {
  for (const theme of ["light", "dark"]) {
    const looks = every(1, 32).map((index) => JSON.stringify(lineStyle(index, theme)));
    assert.equal(new Set(looks).size, 32);
  }
});

test("numbers and times read well", () => {
  assert.deepEqual([1.23456789, 10234.56, 0.0123456, 123456.7, 0, -4.2, 1e-7, null, "on", false].map(measured),
    ["1.2346", "10235", "0.012346", "123457", "0", "−4.2000", "1.0000e−7", "–", "on", "false"]);
  assert.deepEqual([0.4, 14, 200, 7500, 200000].map(duration), ["0 s", "14 s", "3 min", "2 h 5 min", "2 d 7 h"]);
  assert.equal(fineDuration(0.44), "0.4 s");
  assert.deepEqual(tickValues([1, 1.25, 1.5], 0.25), ["1.00", "1.25", "1.50"]);
  assert.deepEqual(tickValues([0.1, 0.2, 0.3], 0.1), ["0.1", "0.2", "0.3"]);
  assert.deepEqual(tickValues([5000, null], 500), ["5000", null]);
  assert.equal(timeTicks([0, 60], 60).filter((label) => label.includes("\n")).length, 1);
});

test("each trouble is told in words, the worst alone", () => {
  const node = { name: "L", description: "", connected: true, since: 900, last_time: 999.5, fields: 2 };
  const calm = {
    now: 1000, serverTrouble: null, troubles: new Map(), fieldCount: 2, newest: 999.6,
    status: { now: 1000, router: { connected: true, since: 1, reason: "" }, nodes: [node] },
    watched: new Set(["L"]), fieldErrors: new Map(), usualSpacing: () => 1,
  };
  const withNode = (changes, more = {}) =>
    describe({ ...calm, ...more, status: { ...calm.status, nodes: [{ ...node, ...changes }] } });
  assert.deepEqual(text(describe(calm)), "Live: 2 fields, newest sample 0.4 s ago");
  assert.equal(describe({ ...calm, status: null }).state, "starting");
  const silent = { since: 986, kind: "unreachable", message: "no connection" };
  assert.match(text(describe({ ...calm, serverTrouble: silent })),
    /^The web server does not answer \(since \d\d:\d\d:\d\d, 14 s\)\. The plot shows .* Retrying\.$/);
  const router = { connected: false, since: 990, reason: "refused" };
  assert.match(text(describe({ ...calm, status: { ...calm.status, router } })), /^Router disconnected since .*, 10 s/);
  assert.match(text(withNode({ connected: false, since: 995 })), /^Instrument L: its data node left at .*\(5 s ago\)\.$/);
  assert.match(text(withNode({ last_time: 983 })), /^No new data from L for 17 s .*: is acquisition running\?$/);
  assert.equal(withNode({ last_time: 983 }, { usualSpacing: () => 60 }).state, "live");
  assert.equal(withNode({ connected: false }, { watched: new Set() }).state, "live");
  assert.equal(withNode({ name: "other" }).state, "disconnected");
  assert.match(text(withNode({ last_time: 1060 })), /60 s in the future/);
});
