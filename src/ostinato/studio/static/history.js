/** Undo and redo: a line of states, none of which is ever changed. */

const LONGEST = 200;

export class History {
  #past = [];
  #future = [];
  #onchange;

  /** `onchange(present)` is called after every step in either direction. */
  constructor(present, onchange) {
    this.present = present;
    this.#onchange = onchange;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  /** A new present; `what` names the change in words that follow "Undone:". */
  commit(changes, what) {
    this.#past.push({ state: this.present, what });
    if (this.#past.length > LONGEST) this.#past.shift();
    this.#future = [];
    this.present = { ...this.present, ...changes };
    this.#onchange(this.present);
  }

  /** One step back; what was undone, or null if there was nothing. */
  undo() {
    return this.#move(this.#past, this.#future);
  }

  redo() {
    return this.#move(this.#future, this.#past);
  }

  #move(from, to) {
    const step = from.pop();
    if (!step) return null;
    to.push({ state: this.present, what: step.what });
    this.present = step.state;
    this.#onchange(this.present);
    return step.what;
  }
}
