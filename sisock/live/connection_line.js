/**
 * Shows the lines of health.js, touching only what has changed.
 */
import { element, setText } from "./dom.js";

/** @typedef {import("./health.js").Line} Line */

const WORST_FIRST = ["bad", "warn", "starting", "note", "ok"];

export class ConnectionLine {
  #host;
  #shape = "";

  /** @param {HTMLElement} host */
  constructor(host) {
    this.#host = host;
  }

  /** @param {Line[]} lines */
  show(lines) {
    const shape = JSON.stringify(lines.map(({ level, parts }) => [level, parts.map(keyOf)]));
    if (shape !== this.#shape) {
      this.#shape = shape;
      this.#host.replaceChildren(...lines.map(paragraph));
      const levels = lines.map(({ level }) => level);
      this.#host.dataset.level = levels.includes("ok") ? "ok"
        : WORST_FIRST.find((level) => levels.some((present) => present === level)) ?? "starting";
    }
    const counters = this.#host.querySelectorAll(".counting");
    const texts = lines.flatMap(({ parts }) =>
      parts.flatMap((part) => (typeof part === "string" ? [] : [part.counting])));
    counters.forEach((node, index) => setText(node, texts[index]));
  }
}

/** @param {import("./health.js").Part} part */
const keyOf = (part) => (typeof part === "string" ? part : null);

/** @param {Line} line */
function paragraph({ level, parts }) {
  return element("p", { "data-level": level }, ...parts.map((part) =>
    typeof part === "string" ? part
      : element("span", { class: "counting", "aria-hidden": "true" }, part.counting)));
}
