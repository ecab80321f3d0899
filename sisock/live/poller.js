/**
 * Runs one request again and again, never two at a time, and never gives up.
 */
const RETRY_FIRST_MS = 250;
const RETRY_MOST_MS = 2_000;

export class Poller {
  #task;
  #periodMs;
  #onError;
  #failures = 0;
  #kicked = false;
  #current = new AbortController();
  #wake = () => {};

  /**
   * @param {(signal: AbortSignal) => Promise<void>} task
   * @param {{periodMs: number, onError: (error: unknown) => void}} options
   */
  constructor(task, { periodMs, onError }) {
    this.#task = task;
    this.#periodMs = periodMs;
    this.#onError = onError;
  }

  /** Do it now: what is under way is for an outdated question and is dropped. */
  kick() {
    this.#kicked = true;
    this.#current.abort();
    this.#wake();
  }

  async run() {
    for (;;) {
      const begun = performance.now();
      this.#kicked = false;
      this.#current = new AbortController();
      try {
        await this.#task(this.#current.signal);
        this.#failures = 0;
      } catch (error) {
        // Whatever it was, polling goes on: a wall display has nobody to press reload.
        if (!this.#kicked) {
          this.#failures += 1;
          this.#onError(error);
        }
      }
      if (!this.#kicked) await this.#pause(this.#delayMs(performance.now() - begun));
    }
  }

  /** @param {number} tookMs */
  #delayMs(tookMs) {
    if (this.#failures > 0) {
      const backoff = Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** this.#failures);
      return backoff * (0.75 + Math.random() / 4);
    }
    // A server that is slow to answer is left some air between requests.
    return Math.max(this.#periodMs - tookMs, tookMs / 4);
  }

  /** @param {number} delayMs @returns {Promise<void>} */
  #pause(delayMs) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, delayMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
