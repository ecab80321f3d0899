/**
 * The key to a plot that is also the table of its latest values.
 */
import { clockTime, duration, measured } from "./format.js";
import { element, setText, swatch } from "./dom.js";

/**
 * @typedef {object} Row
 * @property {string} label
 * @property {string} title the whole name, shown on pointing
 * @property {{colour: string, dash: number[]} | null} style null = not plotted
 *
 * @typedef {object} Reading
 * @property {number | string | boolean | null} value
 * @property {number | null} age seconds; null = no sample yet
 * @property {boolean} stale
 */

export class ValueTable {
  /** @type {{row: HTMLElement, value: HTMLElement, age: HTMLElement, cursor: HTMLElement}[]} */
  #cells;
  #cursorHead = element("th", { scope: "col", class: "at-cursor" });

  /**
   * @param {string} caption
   * @param {Row[]} rows
   * @param {(index: number | null) => void} onPoint a row is pointed at
   */
  constructor(caption, rows, onPoint) {
    this.#cells = rows.map(() => ({
      row: element("tr"),
      value: element("td", { class: "value" }),
      age: element("td", { class: "age" }),
      cursor: element("td", { class: "at-cursor" }),
    }));
    rows.forEach(({ label, title, style }, index) => {
      const { row, value, age, cursor } = this.#cells[index];
      const name = element("th", { scope: "row", title }, ...(style ? [swatch(style)] : []),
        element("span", {}, label));
      row.append(name, value, age, cursor);
      row.addEventListener("mouseenter", () => onPoint(index));
      row.addEventListener("mouseleave", () => onPoint(null));
    });
    this.node = element("table", {},
      element("caption", { class: "visually-hidden" }, caption),
      element("thead", {}, element("tr", {},
        element("th", { scope: "col" }, "Field"),
        element("th", { scope: "col", class: "value" }, "Latest"),
        element("th", { scope: "col", class: "age" }, "Age"),
        this.#cursorHead)),
      element("tbody", {}, ...this.#cells.map(({ row }) => row)));
    this.showCursor(null);
  }

  /** @param {Reading[]} readings in the order of the rows */
  showLatest(readings) {
    readings.forEach(({ value, age, stale }, index) => {
      const cells = this.#cells[index];
      setText(cells.value, measured(value));
      setText(cells.age, age === null ? "no sample" : `${stale ? "stale, " : ""}${duration(age)}`);
      cells.row.classList.toggle("stale", stale);
    });
  }

  /** @param {{time: number, values: (number | null)[]} | null} cursor */
  showCursor(cursor) {
    setText(this.#cursorHead, cursor === null ? "At pointer" : clockTime(cursor.time));
    this.#cells.forEach(({ cursor: cell }, index) => {
      const value = cursor?.values[index] ?? null;
      setText(cell, value === null ? "" : measured(value));
    });
  }

  /** @param {number | null} index */
  highlight(index) {
    this.#cells.forEach(({ row }, at) => row.classList.toggle("pointed", at === index));
  }
}
