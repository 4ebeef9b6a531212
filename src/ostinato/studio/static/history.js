/** Undo and redo: a line of states, none of which is ever changed. */

const LONGEST = 200;

export class History {
  #past = [];
  #future = [];
  #onchange;

  /** `onchange(present, step, isUndo)` is called after every step in either direction; `step` was undone or done again. */
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

  /** All of it, to be kept: {past, present, future}, the past and the future as steps {state, what, ...more}. */
  get line() {
    return { past: this.#past, present: this.present, future: this.#future };
  }

  /** Take over what was kept; with `what`, after all that is here, so that undoing leads back to it. */
  restore({ past, present, future }, what = null) {
    const before = what ? [...this.#past, { state: this.present, what }] : [];
    this.#past = [...before, ...past].slice(-LONGEST);
    this.#future = [...future];
    this.present = present;
    this.#onchange(present);
  }

  /** A new present; `what` names the change in words that follow "Undone:", `more` is told when it is undone. */
  commit(changes, what, more = {}) {
    this.#past.push({ ...more, state: this.present, what });
    if (this.#past.length > LONGEST) this.#past.shift();
    this.#future = [];
    this.present = { ...this.present, ...changes };
    this.#onchange(this.present);
  }

  /** One step back; what was undone, or null if there was nothing. */
  undo() {
    return this.#move(this.#past, this.#future, true);
  }

  redo() {
    return this.#move(this.#future, this.#past, false);
  }

  #move(from, to, isUndo) {
    const step = from.pop();
    if (!step) return null;
    to.push({ ...step, state: this.present });
    this.present = step.state;
    this.#onchange(this.present, step, isUndo);
    return step.what;
  }
}
