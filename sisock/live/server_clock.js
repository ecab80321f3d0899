/**
 * The web server's time, as this page understands it.
 *
 * Ages and the plot's window must not depend on how wrong the browser's own clock is, so the page
 * carries the server's `now` on with the browser's monotonic clock.
 */
export class ServerClock {
  /** @type {{server: number, monotonic: number} | null} */
  #reference = null;

  /** Take over the server's time from an answer that has just arrived.
   * @param {number} now Unix seconds
   * @param {number} requestMs how long the request took; half of it is the answer's way back */
  set(now, requestMs) {
    this.#reference = { server: now + requestMs / 2000, monotonic: performance.now() };
  }

  /** @returns {number} Unix seconds; the browser's own until the server has spoken */
  now() {
    if (this.#reference === null) return Date.now() / 1000;
    return this.#reference.server + (performance.now() - this.#reference.monotonic) / 1000;
  }
}
