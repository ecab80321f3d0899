/**
 * The list of fields by instrument, with boxes to tick.
 */
import { quantityOf, rankOf } from "./catalogue.js";
import { button, byId, element, setText } from "./dom.js";

/** @typedef {import("./api.js").Field} Field */

export class Picker {
  #onChoice;
  #search = /** @type {HTMLInputElement} */ (byId("search"));
  #groups = byId("groups");
  #kinds = byId("kinds");
  /** @type {Set<string>} instruments folded away */
  #folded = new Set();
  /** @type {import("./catalogue.js").Catalogue | null} */
  #catalogue = null;
  /** @type {string[]} */
  #chosen = [];

  /** @param {(chosen: string[]) => void} onChoice */
  constructor(onChoice) {
    this.#onChoice = onChoice;
    this.#search.addEventListener("input", () => this.#rebuild());
  }

  /** @param {import("./catalogue.js").Catalogue} catalogue @param {string[]} chosen */
  show(catalogue, chosen) {
    this.#catalogue = catalogue;
    this.#chosen = chosen;
    this.#rebuild();
  }

  /** @param {string[]} names @param {boolean} on */
  #set(names, on) {
    const chosen = new Set(this.#chosen);
    for (const name of names) chosen[on ? "add" : "delete"](name);
    this.#onChoice([...chosen]);
  }

  #rebuild() {
    if (this.#catalogue === null) return;
    const focused = document.activeElement?.getAttribute("data-key");
    const words = this.#search.value.toLowerCase().split(/\s+/).filter(Boolean);
    /** @type {[string, Field[]][]} */
    const groups = [...this.#catalogue.byNode(this.#chosen)].map(([node, fields]) => [
      node, fields.filter(({ name }) => words.every((word) => name.toLowerCase().includes(word))),
    ]);
    const shown = groups.filter(([, fields]) => fields.length > 0);
    this.#groups.replaceChildren(...shown.map(([node, fields]) => this.#group(node, fields)));
    this.#kinds.replaceChildren(...this.#kindRows(shown.flatMap(([, fields]) => fields)));
    byId("no-match").hidden = shown.length > 0 || words.length === 0;
    // Rebuilding took the keyboard's place away: give it back.
    if (focused) {
      const again = [...byId("picker").querySelectorAll("[data-key]")]
        .find((node) => node.getAttribute("data-key") === focused);
      if (again instanceof HTMLElement) again.focus();
    }
  }

  /** @param {Field[]} fields @returns {HTMLElement[]} */
  #kindRows(fields) {
    const quantities = new Map(fields.map(quantityOf).map((quantity) => [quantity.id, quantity]));
    const ordered = [...quantities.values()].sort((a, b) => rankOf(a) - rankOf(b));
    return ordered.map(({ id, label }) => {
      const same = fields.filter((field) => quantityOf(field).id === id);
      return element("div", { class: "kind" }, element("span", {}, label), this.#allNone(label, same));
    });
  }

  /** @param {string} what @param {Field[]} fields */
  #allNone(what, fields) {
    const names = fields.map(({ name }) => name);
    return element("span", { class: "all-none" },
      button("all", () => this.#set(names, true),
        { "aria-label": `Choose all: ${what}`, "data-key": `all ${what}` }),
      button("none", () => this.#set(names, false),
        { "aria-label": `Choose none: ${what}`, "data-key": `none ${what}` }));
  }

  /** @param {string} node @param {Field[]} fields */
  #group(node, fields) {
    const chosen = fields.filter(({ name }) => this.#chosen.includes(name)).length;
    const count = element("span", { class: "count" });
    setText(count, `${chosen} of ${fields.length}`);
    const details = element("details", {},
      element("summary", { "data-key": `node ${node}` }, element("span", {}, node), " ", count),
      this.#allNone(node, fields),
      element("ul", {}, ...fields.map((field) => element("li", {}, this.#box(field)))));
    details.open = !this.#folded.has(node);
    details.addEventListener("toggle", () => this.#folded[details.open ? "delete" : "add"](node));
    return details;
  }

  /** @param {Field} field */
  #box({ name, field }) {
    const box = element("input", { type: "checkbox", "data-key": `field ${name}` });
    box.checked = this.#chosen.includes(name);
    box.addEventListener("change", () => this.#set([name], box.checked));
    const label = element("label", { title: name }, box, element("span", {}, field));
    if (!this.#catalogue?.isPresent(name)) label.append(element("em", {}, "not there now"));
    return label;
  }
}
