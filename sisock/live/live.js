/**
 * The live page: connects what the person chooses, what the server says and what is drawn.
 */
import { axisKey, quantityOf, rankOf } from "./catalogue.js";
import { ConnectionLine } from "./connection_line.js";
import { button, byId, setText } from "./dom.js";
import { clockTime, dayOf, moment } from "./format.js";
import { describe, titleOf } from "./health.js";
import { Monitor } from "./monitor.js";
import { lineStyle } from "./palette.js";
import { Panel } from "./panel.js";
import { Picker } from "./picker.js";
import { formatHash, parseHash, RANGES } from "./view_state.js";

const TICK_MS = 1_000;

/** New data draw the plot; without any, the window still has to move on. */
const REDRAW_AFTER_MS = 1_300;

/** A slip of the mouse is no wish to look at milliseconds. */
const LEAST_ZOOM_S = 0.05;

const darkTheme = window.matchMedia("(prefers-color-scheme: dark)");
const connection = new ConnectionLine(byId("connection"));
const picker = new Picker((chosen) => change({ fields: chosen }));
const monitor = new Monitor({ wanted, onFields: arrange, onData: requestDraw });

let view = parseHash(location.hash);
/** @type {{from: number, to: number} | null} while set, following is paused */
let zoom = null;
/** @type {string[]} */
let chosen = [];
/** @type {Map<string, Panel>} by all that would make another panel of it */
let panels = new Map();
let lastDraw = -Infinity;
let isDrawRequested = false;

/** @returns {{from: number, to: number}} Unix seconds */
function timeWindow() {
  const to = monitor.horizon();
  return zoom ?? { from: to - view.rangeS, to };
}

/** @returns {import("./monitor.js").Wanted | null} */
function wanted() {
  const names = chosen.filter((name) => quantityOf(monitor.catalogue.get(name)).id !== "states");
  if (document.hidden || names.length === 0) return null;
  const { from, to } = zoom ?? { from: monitor.clock.now() - view.rangeS, to: monitor.clock.now() };
  const points = Math.max(...[...panels.values()].map(({ plotWidth }) => plotWidth));
  const keepFrom = Math.min(from, monitor.clock.now() - view.rangeS) - view.rangeS / 20;
  return { names, from, to, points, keepFrom, following: zoom === null };
}

/** @param {Partial<import("./view_state.js").ViewState>} changes */
function change(changes) {
  view = { ...view, ...changes };
  history.replaceState(null, "", formatHash(view) || location.pathname + location.search);
  arrange();
  monitor.refresh();
}

/** Bring the controls and panels in line with the choice and with the fields that exist. */
function arrange() {
  const { catalogue } = monitor;
  const names = new Set(view.fields ?? catalogue.defaultChoice());
  const ordered = [...catalogue.byNode([...names]).values()].flat();
  const before = chosen;
  chosen = ordered.filter(({ name }) => names.has(name)).map(({ name }) => name);
  picker.show(catalogue, chosen);
  arrangePanels(ordered);
  for (const node of byId("ranges").children) {
    node.setAttribute("aria-pressed", String(node.getAttribute("data-seconds") === String(view.rangeS)));
  }
  byId("toggle-picker").setAttribute("aria-expanded", String(view.picker));
  byId("picker").hidden = !view.picker;
  if (chosen.join() !== before.join()) monitor.refresh();
  tick();
  requestDraw();
}

/** @param {import("./api.js").Field[]} ordered all fields, chosen or not, in their order */
function arrangePanels(ordered) {
  const theme = darkTheme.matches ? "dark" : "light";
  const style = getComputedStyle(document.documentElement);
  const colours = { ink: style.getPropertyValue("--ink-2"), grid: style.getPropertyValue("--grid") };
  /** @type {Map<string, Panel>} */
  const next = new Map();
  for (const [axis, fields] of groupByAxis(ordered)) {
    const quantity = quantityOf(fields[0]);
    const alike = ordered.filter((field) => quantityOf(field).id === quantity.id);
    const lines = fields.map((field) => ({ field, style: lineStyle(alike.indexOf(field), theme) }));
    const log = view.log.has(quantity.id);
    const identity = JSON.stringify([axis, lines.map(({ field, style: { colour, dash } }) =>
      [field.name, colour, dash]), log]);
    const [{ units }] = fields;
    next.set(identity, panels.get(identity) ?? new Panel(byId("panels"), {
      heading: units ? `${quantity.label} (${units})` : quantity.label,
      lines,
      plotted: quantity.id !== "states",
      log,
      colours,
      onLog: (on) => setLog(quantity.id, on),
      onZoom: pauseAt,
      onResume: resume,
    }));
  }
  for (const [identity, panel] of panels) if (!next.has(identity)) panel.remove();
  // Appending moves the ones that stay, so that the order on the page is the order of fields.
  for (const { node } of next.values()) byId("panels").append(node);
  panels = next;
  const rows = Math.max(4, chosen.length + 2 * panels.size);
  document.documentElement.style.setProperty("--rows", String(rows));
}

/** @param {import("./api.js").Field[]} ordered @returns {[string, import("./api.js").Field[]][]} */
function groupByAxis(ordered) {
  /** @type {Map<string, import("./api.js").Field[]>} */
  const groups = new Map();
  for (const field of ordered.filter(({ name }) => chosen.includes(name))) {
    const key = axisKey(field);
    groups.set(key, [...(groups.get(key) ?? []), field]);
  }
  const rank = (/** @type {import("./api.js").Field[]} */ fields) => rankOf(quantityOf(fields[0]));
  return [...groups].sort(([, a], [, b]) => rank(a) - rank(b));
}

/** @param {string} quantity @param {boolean} on */
function setLog(quantity, on) {
  const log = new Set(view.log);
  log[on ? "add" : "delete"](quantity);
  change({ log });
}

/** @param {number} from @param {number} to Unix seconds */
function pauseAt(from, to) {
  if (to - from < LEAST_ZOOM_S) return;
  zoom = { from, to };
  const now = monitor.clock.now();
  setText(byId("paused-text"), `Paused: showing ${moment(from, now)} to ${moment(to, now)}.`);
  byId("paused").hidden = false;
  monitor.refresh();
  requestDraw();
}

function resume() {
  zoom = null;
  byId("paused").hidden = true;
  monitor.refresh();
  requestDraw();
}

function requestDraw() {
  // A hidden tab gets no animation frame; it is drawn when it is looked at again.
  if (isDrawRequested || document.hidden) return;
  isDrawRequested = true;
  requestAnimationFrame(() => {
    isDrawRequested = false;
    draw();
  });
}

function draw() {
  lastDraw = performance.now();
  const shown = timeWindow();
  let points = 0;
  for (const panel of panels.values()) points += panel.draw(monitor.store, shown);
  document.body.dataset.points = String(points);
  const lastTimes = chosen.map((name) => monitor.store.get(name).times.at(-1) ?? -Infinity);
  const newest = Math.max(...lastTimes);
  document.body.dataset.lastTime = Number.isFinite(newest) ? String(newest) : "";
}

/** What changes by itself from second to second. */
function tick() {
  const now = monitor.clock.now();
  const watched = new Set(chosen.map((name) => monitor.catalogue.get(name).node));
  const { state, lines } = describe(monitor.knowledge(watched));
  if (chosen.length === 0 && monitor.catalogue.presentCount > 0) {
    lines.push({ level: "note", parts: ["No field is chosen: tick some in the list of fields."] });
  }
  connection.show(lines);
  document.body.dataset.state = state;
  document.title = titleOf(state, now);
  setText(byId("clock"), `${dayOf(now)} ${clockTime(now)}`);
  for (const panel of panels.values()) panel.showLatest((name) => monitor.reading(name));
  if (performance.now() - lastDraw > REDRAW_AFTER_MS) requestDraw();
}

function start() {
  byId("ranges").append(...[...RANGES.values()].map(([label, seconds]) =>
    button(label, () => {
      change({ rangeS: seconds });
      resume();
    }, { "data-seconds": String(seconds) })));
  byId("toggle-picker").addEventListener("click", () => change({ picker: !view.picker }));
  byId("resume").addEventListener("click", resume);
  window.addEventListener("hashchange", () => {
    view = parseHash(location.hash);
    arrange();
    monitor.refresh();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    monitor.refresh();
    tick();
    requestDraw();
  });
  darkTheme.addEventListener("change", arrange);
  arrange();
  monitor.start();
  setInterval(tick, TICK_MS);
}

start();
