/** Keys as they are pressed, made into notes on the grid of 16ths. */

import { secondsPerStep, withNote } from "./melody.js";

export class Recorder {
  #step;
  #zero;
  #longest;
  #down = new Map();
  notes = [];

  /** `zero` is the time of the first step in seconds, or null: the first key begins. */
  constructor(qpm, zero, longest) {
    this.#step = secondsPerStep(qpm);
    this.#zero = zero;
    this.#longest = longest;
  }

  press(pitch, time) {
    this.#zero ??= time;
    this.#down.set(pitch, time);
  }

  /** The notes so far, with this one; it is at least a 16th long, and one played during the count-in is not kept. */
  release(pitch, time) {
    const pressed = this.#down.get(pitch);
    this.#down.delete(pitch);
    if (pressed === undefined) return this.notes;
    const start = Math.round((pressed - this.#zero) / this.#step);
    const length = Math.max(Math.round((time - pressed) / this.#step), 1);
    if (start >= 0 && start + length <= this.#longest) this.notes = withNote(this.notes, { pitch, start, length });
    return this.notes;
  }

  /** The notes, after ending all that are still held. */
  finish(time) {
    for (const pitch of [...this.#down.keys()]) this.release(pitch, time);
    return this.notes;
  }
}
