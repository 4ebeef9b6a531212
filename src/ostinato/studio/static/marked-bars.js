/**
 * Bars of the melody that are marked, by the numbers over the roll or the fields under it, to be made anew; and those
 * that are locked, which stay.
 */

import { press } from "./elements.js";
import { barsOf, endOf, eventsOf, firstBarOf, meterOf } from "./melody.js";
import { capital } from "./messages.js";

const part = (id) => document.getElementById(id);

export class MarkedBars {
  longest = Infinity; // bars that can be filled at once
  #bars = null; // the first and the last, counted from 1, an upbeat too
  #shift = 0; // from there to the numbers that are seen: -1 where there is an upbeat
  #locked = [];
  #melody = { notes: [], meter: null };

  /**
   * @param picture of the roll.
   * @param onfill called with the first and the last bar that are to be made anew.
   * @param onlock called with the bars that are locked from now on, and what changed, in words.
   * @param say called with a sentence for a screen reader.
   */
  constructor(picture, { onfill, onlock, say }) {
    Object.assign(this, { picture, say });
    part("mark").addEventListener("click", () => {
      if (this.#bars) return this.mark(null);
      const bar = Math.max(Math.min(2, this.#length - 1), 1);
      this.mark([bar, bar]);
      part("first-bar").focus();
    });
    part("unmark").addEventListener("click", () => {
      this.mark(null);
      part("mark").focus();
    });
    const [first, last] = [part("first-bar"), part("last-bar")];
    const bar = (input) => number(input) - this.#shift;
    first.addEventListener("change", () => this.mark([bar(first), Math.max(bar(first), bar(last))]));
    last.addEventListener("change", () => this.mark([Math.min(bar(first), bar(last)), bar(last)]));
    part("lock-bars").addEventListener("click", () => this.#toggleLock(onlock));
    part("marked").addEventListener("submit", (event) => {
      event.preventDefault();
      if (!part("fill").disabled) onfill(...this.#bars);
    });
    this.#listenToRuler(picture.ruler);
  }

  /** Follow the melody; in another meter its bars are others, and none is marked. */
  show(notes, meter, locked) {
    const isSame = this.#melody.meter === meter && notes.length > 0;
    this.#melody = { notes, meter };
    this.#shift = firstBarOf(eventsOf(notes), meter) - 1;
    this.#locked = locked;
    this.picture.lockBars(locked);
    part("mark").disabled = notes.length === 0;
    this.mark(isSame ? this.#bars : null);
  }

  /** The steps [first, end] of the marked bars, or null; a loop goes round them. */
  get span() {
    const { stepsPerBar } = meterOf(this.#melody.meter);
    return this.#bars && [(this.#bars[0] - 1) * stepsPerBar, this.#bars[1] * stepsPerBar];
  }

  /** Mark the bars from the first to the last of two, or none. */
  mark(bars) {
    const most = this.picture.bars;
    this.#bars = bars && bars.map((bar) => Math.min(Math.max(Math.round(bar) || 1, 1), most));
    this.picture.markBars(this.#bars);
    press(part("mark"), this.#bars !== null);
    part("marked").hidden = !this.#bars;
    if (!this.#bars) return;
    for (const id of ["first-bar", "last-bar"]) [part(id).min, part(id).max] = this.#numbers([1, most]);
    [part("first-bar").value, part("last-bar").value] = this.#numbers(this.#bars);
    const refusal = this.#refusal();
    part("fill").disabled = refusal !== null;
    part("fill-note").textContent = refusal ?? this.#whatStays();
    press(part("lock-bars"), this.#areLocked());
  }

  /** How many bars the melody has. */
  get #length() {
    const { notes, meter } = this.#melody;
    return barsOf(endOf(notes), meterOf(meter).stepsPerBar);
  }

  /** Why the marked bars cannot be made anew, in a sentence, or null. */
  #refusal() {
    const [first, last] = this.#bars;
    const { notes, meter } = this.#melody;
    if (last > this.#length) return `Nothing is in bar ${last + this.#shift} yet. Generate goes on from the end of your melody.`;
    if (this.#areLocked()) return "These bars are locked.";
    if (last - first >= this.longest) return `At most ${this.longest} bars are made anew at once.`;
    if (last < this.#length || this.#locked.includes(last)) return null;
    // Up to the end the model goes on from what is before, so there must be something.
    const tail = this.#locked.filter((bar) => first <= bar && bar < last).at(-1) ?? first - 1;
    if (notes.some(({ start }) => start < tail * meterOf(meter).stepsPerBar)) return null;
    return "No note would stay before these bars. Lock one that has notes, or clear the melody and press Generate.";
  }

  #whatStays() {
    const [first, last] = this.#bars;
    const isLocked = this.#locked.some((bar) => first <= bar && bar <= last);
    const rest = last < this.#length ? "What comes before and after stays" : "What comes before stays";
    return isLocked ? `${rest}, and so do the locked bars.` : `${rest}.`;
  }

  #areLocked() {
    const [first, last] = this.#bars;
    for (let bar = first; bar <= last; bar += 1) if (!this.#locked.includes(bar)) return false;
    return true;
  }

  #toggleLock(onlock) {
    const [first, last] = this.#bars;
    const others = this.#locked.filter((bar) => bar < first || bar > last);
    const isLocking = !this.#areLocked();
    const marked = Array.from({ length: last - first + 1 }, (_, place) => first + place);
    const all = isLocking ? [...others, ...marked].sort((one, other) => one - other) : others;
    const named = this.#named(this.#bars);
    onlock(all, `${isLocking ? "locking" : "unlocking"} ${named}`);
    this.say(`${capital(named)} ${isOne(this.#bars) ? "is" : "are"} ${isLocking ? "locked" : "unlocked"}.`);
  }

  /** A press marks a bar; drawing on with a mouse, Shift or another tap of the finger marks up to there. */
  #listenToRuler(ruler) {
    let from = null;
    ruler.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "mouse" || event.button !== 0 || part("mark").disabled) return;
      const bar = this.picture.barAt(event);
      from = event.shiftKey && this.#bars ? this.#bars[0] : bar;
      ruler.setPointerCapture(event.pointerId);
      this.mark(sorted(from, bar));
    });
    ruler.addEventListener("pointermove", (event) => {
      if (from !== null) this.mark(sorted(from, this.picture.barAt(event)));
    });
    for (const name of ["pointerup", "pointercancel"])
      ruler.addEventListener(name, () => {
        if (from !== null) this.#tell();
        from = null;
      });
    ruler.addEventListener("click", (event) => {
      if (event.pointerType === "mouse" || part("mark").disabled) return;
      const bar = this.picture.barAt(event);
      this.mark(this.#bars ? sorted(this.#bars[0], bar) : [bar, bar]);
      this.#tell();
    });
  }

  /** As they are over the roll. */
  #numbers(bars) {
    return bars.map((bar) => bar + this.#shift);
  }

  #named(bars) {
    const [first, last] = this.#numbers(bars);
    return isOne(bars) ? `bar ${first}` : `bars ${first} to ${last}`;
  }

  #tell() {
    const named = this.#named(this.#bars);
    this.say(`${capital(named)} ${isOne(this.#bars) ? "is" : "are"} marked.`);
  }
}

function isOne([first, last]) {
  return first === last;
}

function sorted(one, other) {
  return [Math.min(one, other), Math.max(one, other)];
}

function number(input) {
  return Number.isNaN(input.valueAsNumber) ? 1 : input.valueAsNumber;
}
