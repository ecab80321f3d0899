/**
 * Every field this page has heard of, in order, by instrument and by physical quantity.
 */

/**
 * @typedef {import("./api.js").Field} Field
 * @typedef {{id: string, label: string}} Quantity
 */

/** Quantities told by the last part of a field's name, as Lake Shore agents name theirs. */
const BY_SUFFIX = new Map([
  ["t", { id: "temperature", label: "Temperature" }],
  ["r", { id: "resistance", label: "Resistance" }],
  ["v", { id: "voltage", label: "Voltage" }],
]);

const COLLATOR = new Intl.Collator("en", { numeric: true });

/** @param {{name: string}} a @param {{name: string}} b */
const byName = (a, b) => COLLATOR.compare(a.name, b.name);

/** @param {Field} field @returns {Quantity} */
export function quantityOf(field) {
  if (field.type === "string" || field.type === "bool") {
    return { id: "states", label: "Texts and states" };
  }
  const suffix = field.field.toLowerCase().split("_").at(-1) ?? "";
  const known = field.field.includes("_") ? BY_SUFFIX.get(suffix) : undefined;
  if (known) return known;
  return field.units
    ? { id: `in ${field.units}`, label: "Values" }
    : { id: "values", label: "Other values" };
}

/** Temperatures first, then the other known quantities, unknown ones, and texts last.
 * @param {Quantity} quantity */
export function rankOf({ id }) {
  const known = [...BY_SUFFIX.values()].findIndex((quantity) => quantity.id === id);
  if (known >= 0) return known;
  return id === "states" ? BY_SUFFIX.size + 1 : BY_SUFFIX.size;
}

/** A field may be plotted on one axis with another if both have the same key.
 * @param {Field} field */
export function axisKey(field) {
  return JSON.stringify([quantityOf(field).id, field.units ?? ""]);
}

export class Catalogue {
  /** @type {Map<string, Field>} */
  #known = new Map();
  /** @type {Set<string>} names in the server's last answer */
  #present = new Set();
  /** @type {string | null} */
  #defaultNode = null;

  /**
   * Take in the server's list. Fields that are gone stay known, because their instrument may be
   * back in a moment and must then find its curves where they were.
   *
   * @param {Field[]} fields
   * @returns {boolean} whether anything is different from before
   */
  update(fields) {
    const before = this.#signature();
    this.#present = new Set(fields.map(({ name }) => name));
    for (const field of fields) this.#known.set(field.name, field);
    return this.#signature() !== before;
  }

  #signature() {
    return JSON.stringify([
      [...this.#known.values()].map(({ name, units, type }) => [name, units, type]),
      [...this.#present].sort(),
    ]);
  }

  get presentCount() {
    return this.#present.size;
  }

  /** @param {string} name */
  isPresent(name) {
    return this.#present.has(name);
  }

  /** @returns {Field[]} all known fields, channel 2 before channel 10 */
  all() {
    return [...this.#known.values()].sort(byName);
  }

  /**
   * A field by name; one not heard of yet (a bookmark opened before its instrument is up) is
   * described from its name alone.
   *
   * @param {string} name
   * @returns {Field}
   */
  get(name) {
    const known = this.#known.get(name);
    if (known) return known;
    const [node, ...rest] = name.split("::");
    return { name, node, field: rest.join("::") || name, units: null, type: "number" };
  }

  /** @returns {Map<string, Field[]>} fields by instrument, including chosen ones not yet seen
   * @param {string[]} chosen */
  byNode(chosen) {
    const unseen = chosen.filter((name) => !this.#known.has(name)).map((name) => this.get(name));
    /** @type {Map<string, Field[]>} */
    const groups = new Map();
    for (const field of [...this.all(), ...unseen].sort(byName)) {
      groups.set(field.node, [...(groups.get(field.node) ?? []), field]);
    }
    return groups;
  }

  /**
   * What to show to somebody who has not chosen: the temperatures of the first instrument.
   * The instrument, once found, stays, while its channels may still be turning up one by one.
   *
   * @returns {string[]}
   */
  defaultChoice() {
    const numbers = this.all().filter((field) => quantityOf(field).id !== "states");
    const temperatures = numbers.filter((field) => quantityOf(field).id === "temperature");
    const candidates = temperatures.length > 0 ? temperatures : numbers;
    if (!candidates.some(({ node }) => node === this.#defaultNode)) {
      this.#defaultNode = candidates[0]?.node ?? null;
    }
    return candidates.filter(({ node }) => node === this.#defaultNode).map(({ name }) => name);
  }
}
