/**
 * One quantity on the page: its chart and, beside it, the table of latest values.
 */
import { Chart } from "./chart.js";
import { button, element, setText } from "./dom.js";
import { ValueTable } from "./value_table.js";

/**
 * @typedef {object} PanelOptions
 * @property {string} heading for example "Temperature (K)"
 * @property {{field: import("./api.js").Field, style: {colour: string, dash: number[]}}[]} lines
 * @property {boolean} plotted false for texts and states, which have no curve
 * @property {boolean} log
 * @property {{ink: string, grid: string}} colours
 * @property {(log: boolean) => void} onLog
 * @property {(from: number, to: number) => void} onZoom
 * @property {() => void} onResume
 */

export class Panel {
  /** @type {Chart | null} */
  #chart = null;
  #names;
  #table;
  #note = element("p", { class: "hint", "aria-live": "off" });
  #watch = new ResizeObserver(() => this.#chart?.fit());

  /** @param {HTMLElement} parent @param {PanelOptions} options */
  constructor(parent, options) {
    const { heading, lines, plotted, log } = options;
    const nodes = new Set(lines.map(({ field }) => field.node));
    const isOneNode = nodes.size === 1;
    this.#names = lines.map(({ field }) => field.name);
    const rows = lines.map(({ field, style }) => ({
      label: isOneNode ? field.field : field.name,
      title: field.name,
      style: plotted ? style : null,
    }));
    this.#table = new ValueTable(`Latest values: ${heading}`, rows, (index) => this.#chart?.focus(index));
    const title = element("h2", {}, heading);
    if (isOneNode) title.append(" ", element("small", {}, [...nodes][0]));
    const head = element("div", { class: "panel-head" }, title);
    const body = element("div", { class: "panel-body" });
    this.node = element("section", { class: "panel", "aria-label": heading }, head, body);
    parent.append(this.node);
    if (plotted) {
      const label = `Logarithmic axis for ${heading}`;
      head.append(button("log", () => options.onLog(!log), { "aria-pressed": String(log), "aria-label": label }));
      const host = element("div", { class: "plot", role: "img", "aria-label": `Curves: ${heading}` });
      body.append(element("div", { class: "plot-column" }, host, this.#note));
      this.#chart = this.#makeChart(host, options);
      this.#watch.observe(host);
    }
    body.append(element("div", { class: "table-column" }, this.#table.node));
  }

  /** @param {HTMLElement} host @param {PanelOptions} options */
  #makeChart(host, { lines, log, colours, onZoom, onResume }) {
    return new Chart(host, {
      lines: lines.map(({ field, style }) => ({ label: field.name, ...style })),
      log,
      colours,
      onZoom,
      onResume,
      onCursor: (cursor) => this.#table.showCursor(cursor),
      onFocus: (index) => this.#table.highlight(index),
    });
  }

  remove() {
    this.#watch.disconnect();
    this.#chart?.destroy();
    this.node.remove();
  }

  get plotWidth() {
    return this.#chart?.width ?? 0;
  }

  /**
   * @param {import("./series_store.js").SeriesStore} store
   * @param {{from: number, to: number}} window Unix seconds
   * @returns {number} samples drawn
   */
  draw(store, { from, to }) {
    if (this.#chart === null) return 0;
    const { drawn, hidden } = this.#chart.draw(this.#names.map((name) => store.get(name)), from, to);
    const notes = [];
    if (drawn === 0) notes.push("No sample of these fields in the time shown.");
    if (hidden > 0) notes.push(`${hidden} samples at or below zero have no place on a logarithmic axis.`);
    setText(this.#note, notes.join(" "));
    return drawn;
  }

  /** @param {(name: string) => import("./value_table.js").Reading} read */
  showLatest(read) {
    this.#table.showLatest(this.#names.map(read));
  }
}
