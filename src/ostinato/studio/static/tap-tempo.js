/** A tempo by tapping along. */

const FORGET = 2500; // milliseconds of silence after which a new tempo begins
const REMEMBER = 8; // taps

export class TapTempo {
  #taps = [];

  /** The quarter notes a minute of the taps up to this one, at a time in milliseconds; null at the first. */
  tap(now) {
    if (now - this.#taps.at(-1) > FORGET) this.#taps = [];
    this.#taps = [...this.#taps, now].slice(-REMEMBER);
    if (this.#taps.length < 2) return null;
    const beat = (now - this.#taps[0]) / (this.#taps.length - 1);
    return Math.round(600_000 / beat) / 10;
  }
}
