/** Bars of the melody that are marked, by the numbers over the roll or the fields under it, to be made anew. */

import { press } from "./elements.js";
import { endOf, eventsOf, firstBarOf, meterOf } from "./melody.js";

const part = (id) => document.getElementById(id);

export class MarkedBars {
  longest = Infinity; // bars that can be filled at once
  #bars = null; // the first and the last, counted from 1, an upbeat too
  #shift = 0; // from there to the numbers that are seen: -1 where there is an upbeat
  #followed = 0; // bars that something comes after
  #meter = null;

  /**
   * @param picture of the roll.
   * @param onfill called with the first and the last bar that are to be made anew.
   * @param say called with a sentence for a screen reader.
   */
  constructor(picture, { onfill, say }) {
    Object.assign(this, { picture, say });
    part("mark").addEventListener("click", () => {
      if (this.#bars) return this.mark(null);
      const bar = Math.max(Math.min(2, this.#followed), 1);
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
    part("marked").addEventListener("submit", (event) => {
      event.preventDefault();
      if (!part("fill").disabled) onfill(...this.#bars);
    });
    this.#listenToRuler(picture.ruler);
  }

  /** Follow the melody; in another meter its bars are others, and none is marked. */
  show(notes, meter) {
    this.#followed = Math.max(Math.floor((endOf(notes) - 1) / meterOf(meter).stepsPerBar), 0);
    this.#shift = firstBarOf(eventsOf(notes), meter) - 1;
    if (this.#meter !== meter) this.#bars = null;
    this.#meter = meter;
    part("mark").disabled = notes.length === 0;
    if (notes.length === 0) this.#bars = null;
    this.mark(this.#bars);
  }

  /** Mark the bars from the first to the last of two, or none. */
  mark(bars) {
    const most = this.picture.bars;
    this.#bars = bars && bars.map((bar) => Math.min(Math.max(Math.round(bar) || 1, 1), most));
    this.picture.markBars(this.#bars);
    press(part("mark"), this.#bars !== null);
    part("marked").hidden = !this.#bars;
    if (!this.#bars) return;
    const [first, last] = this.#bars;
    for (const id of ["first-bar", "last-bar"]) [part(id).min, part(id).max] = this.#numbers([1, most]);
    [part("first-bar").value, part("last-bar").value] = this.#numbers(this.#bars);
    const refusal =
      last > this.#followed
        ? `Nothing follows bar ${last + this.#shift}. Generate goes on from the end of your melody.`
        : last - first >= this.longest
          ? `At most ${this.longest} bars are made anew at once.`
          : null;
    part("fill").disabled = refusal !== null;
    part("fill-note").textContent = refusal ?? "What comes before and after stays.";
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

  #tell() {
    const [first, last] = this.#numbers(this.#bars);
    this.say(first === last ? `Bar ${first} is marked.` : `Bars ${first} to ${last} are marked.`);
  }
}

function sorted(one, other) {
  return [Math.min(one, other), Math.max(one, other)];
}

function number(input) {
  return Number.isNaN(input.valueAsNumber) ? 1 : input.valueAsNumber;
}
