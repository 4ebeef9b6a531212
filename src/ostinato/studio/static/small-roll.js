/**
 * A small piano roll to look at, listen to and walk along step by step: notes colored by how they came about, under
 * them how sure the model was of each step, above them which steps it looked back at.
 */

import { html, svg } from "./elements.js";
import { firstBarOf, meterOf, notesOf } from "./melody.js";
import { boldestStep, differences, kindOf } from "./variation.js";

const HEIGHT = 160;
const HEAT_HEIGHT = 8;
const SURE_HEIGHT = 22;
const LEAST_STEP_WIDTH = 3.6;
const NAMES_HEIGHT = 28; // of the numbers of bars and the names of chords below them
const LETTER_WIDTH = 7; // of a chord's name, at most
const LEAST_NUMBER_WIDTH = 24; // from one bar's number to the next

/** The pitches that hold all the melodies, with some air, an octave and a half at least. */
export function commonRange(melodies) {
  const events = melodies.flatMap((melody) => [...melody.events, ...(melody.original ?? [])]);
  const pitches = events.filter((event) => event >= 0);
  if (!pitches.length) return [55, 72];
  const lowest = Math.min(...pitches) - 1;
  const highest = Math.max(...pitches) + 1;
  const missing = Math.max(18 - (highest - lowest), 0);
  return [lowest - Math.ceil(missing / 2), highest + Math.floor(missing / 2)];
}

export class SmallRoll {
  step = null; // the one that is looked at
  #pinned = null;

  /**
   * @param variation what to show.
   * @param name what a screen reader calls it.
   * @param range the lowest and highest pitch.
   * @param describe gives the words for a step.
   * @param onlook called with a step, or null, when it is looked at.
   * @param onchange called with a step from which something else is asked for.
   * @param oncandidate called with the place of what could have come instead, from 0; whether there is one.
   * @param onplay called with a step to be heard from.
   */
  constructor(variation, { name, range, describe, onlook, onchange, oncandidate, onplay }) {
    Object.assign(this, { variation, range, describe, onlook });
    this.boldest = boldestStep(variation);
    const first = this.boldest ?? 0; // where a walk along the steps begins
    this.picture = svg("svg", { "aria-hidden": "true", height: HEIGHT });
    this.playhead = html("div", { class: "playhead", hidden: true });
    this.track = html("div", { class: "small-roll-track" }, this.picture, this.playhead);
    this.element = html(
      "div",
      {
        class: "small-roll",
        tabindex: "0",
        role: "slider",
        "aria-label": `${name}, step by step`,
        "aria-valuemin": "0",
        "aria-valuemax": variation.events.length - 1,
        "aria-valuenow": first,
        "aria-valuetext": describe(first),
      },
      this.track,
    );
    const { element } = this;
    element.addEventListener("pointermove", (event) => event.pointerType === "mouse" && this.look(this.#stepAt(event)));
    element.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.look(this.#pinned));
    element.addEventListener("click", (event) => {
      const step = this.#stepAt(event);
      this.pin(step);
      if (event.shiftKey && onchange) onchange(step);
    });
    element.addEventListener("focus", () => element.matches(":focus-visible") && this.look(this.step ?? first));
    element.addEventListener("keydown", (event) => {
      const to = this.#goal(event);
      if (to !== null) this.pin(to);
      else if (event.key === "Enter" || event.key === " ") onplay(this.step ?? 0);
      else if (event.key.toLowerCase() === "r" && onchange && !event.ctrlKey && !event.metaKey)
        onchange(this.step ?? first);
      else if (/^[1-9]$/.test(event.key) && oncandidate(Number(event.key) - 1)) this.pin(this.step);
      else if (event.key === "Escape") this.pin(null);
      else return;
      event.preventDefault();
    });
    this.sizes = new ResizeObserver(() => this.#draw());
  }

  /** Draw it; it must stand in the page by now, so that its width is known. */
  draw() {
    this.#draw();
    this.sizes.observe(this.element);
  }

  remove() {
    this.sizes.disconnect();
  }

  /** Look at a step and stay there. */
  pin(step) {
    this.#pinned = step;
    this.look(step);
    if (step !== null) this.#reveal(step * this.stepWidth);
  }

  look(step) {
    if (step === this.step) return;
    this.step = step;
    this.#drawLook();
    if (step !== null) {
      this.element.setAttribute("aria-valuenow", step);
      this.element.setAttribute("aria-valuetext", this.describe(step));
    }
    this.onlook?.(step);
  }

  showPlayhead(step) {
    // The bar that the last note is in is played to its end, which need not be there to see.
    this.playhead.hidden = step === null || step >= this.variation.events.length;
    if (this.playhead.hidden) return;
    const x = step * this.stepWidth;
    this.playhead.style.transform = `translateX(${x}px)`;
    this.#reveal(x);
  }

  #reveal(x) {
    const { scrollLeft, clientWidth } = this.element;
    if (x < scrollLeft || x > scrollLeft + clientWidth - 12) this.element.scrollLeft = x - 12;
  }

  #goal(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return null;
    const now = this.step ?? this.boldest ?? 0;
    const last = this.variation.events.length - 1;
    const bar = this.variation.stepsPerBar;
    const goals = {
      ArrowRight: now + 1,
      ArrowUp: now + 1,
      ArrowLeft: now - 1,
      ArrowDown: now - 1,
      PageUp: now + bar,
      PageDown: now - bar,
      Home: 0,
      End: last,
    };
    return event.key in goals ? Math.min(Math.max(goals[event.key], 0), last) : null;
  }

  #stepAt(event) {
    const x = event.clientX - this.picture.getBoundingClientRect().left;
    return Math.min(Math.max(Math.floor(x / this.stepWidth), 0), this.variation.events.length - 1);
  }

  #draw() {
    const {
      variation,
      range: [lowest, highest],
    } = this;
    const { events, meter } = variation;
    const { stepsPerBar, stepsPerBeat } = meterOf(meter);
    const available = this.element.clientWidth;
    if (!available || available === this.drawnFor) return;
    const isFirst = !this.drawnFor;
    this.drawnFor = available;
    this.stepWidth = Math.max(available / events.length, LEAST_STEP_WIDTH);
    const width = events.length * this.stepWidth;
    const top = HEAT_HEIGHT + (variation.chords?.length ? NAMES_HEIGHT : 4);
    const bottom = HEIGHT - SURE_HEIGHT;
    const row = (bottom - top) / (highest - lowest + 1);
    const lines = (interval) => {
      let path = "";
      for (let step = interval; step < events.length; step += interval)
        path += `M${round(step * this.stepWidth)} ${HEAT_HEIGHT}V${HEIGHT}`;
      return path;
    };
    this.picture.setAttribute("width", width);
    this.heat = svg("g", { class: "heat" });
    this.mark = svg("rect", {
      class: "look",
      y: 0,
      height: HEIGHT,
      width: Math.max(this.stepWidth, 2),
      visibility: "hidden",
    });
    const place = (note) => ({
      x: round(note.start * this.stepWidth + 0.5),
      y: round(top + (highest - note.pitch) * row),
      width: round(Math.max(note.length * this.stepWidth - 1, 1.5)),
      height: round(Math.max(row - 0.5, 3)),
      rx: 1.5,
    });
    const notes = notesOf(events).map((note) => {
      const kind = kindOf(variation, note.start);
      const name = note.start === this.boldest ? `note is-${kind} is-boldest` : `note is-${kind}`;
      return svg("rect", { class: name, fill: `url(#fill-${kind})`, ...place(note) });
    });
    const gone = differences(variation).gone.filter((note) => note.start < events.length);
    const ghosts = gone.map((note) => svg("rect", { class: "gone", ...place(note) }));
    this.picture.replaceChildren(
      ...variation.given.map(([from, to]) =>
        svg("rect", {
          class: "small-given",
          x: round(from * this.stepWidth),
          y: HEAT_HEIGHT,
          width: round((to - from) * this.stepWidth),
          height: HEIGHT - HEAT_HEIGHT,
        }),
      ),
      svg("path", { class: "roll-beats", d: events.length * this.stepWidth < 3000 ? lines(stepsPerBeat) : "" }),
      svg("path", { class: "roll-bars", d: lines(stepsPerBar) }),
      ...this.#barNumbers(stepsPerBar),
      svg("path", { class: "sure-line", d: `M0 ${HEIGHT - 0.5}H${width}` }),
      this.#sure(),
      ...ghosts,
      ...notes,
      ...this.#chordNames(),
      // As at the end of a score: a thin line and a thick one.
      ...(variation.ends ? [this.#endLine(width - 5, 1), this.#endLine(width, 3)] : []),
      this.heat,
      this.mark,
    );
    this.#drawLook();
    // Of a long melody, the end of what was given and the beginning of what is new.
    if (isFirst) this.element.scrollLeft = (variation.given[0]?.[1] ?? 0) * this.stepWidth - available / 4;
  }

  /** The numbers of the bars, or of some if there is no room for all. */
  #barNumbers(stepsPerBar) {
    const bar = stepsPerBar * this.stepWidth;
    const every = [1, 2, 4, 8, 16, 32].find((some) => some * bar >= LEAST_NUMBER_WIDTH) ?? 64;
    const numbers = [];
    const firstBar = firstBarOf(this.variation.events, this.variation.meter);
    for (let i = 0; i * stepsPerBar < this.variation.events.length; i += every)
      numbers.push(svg("text", { class: "small-number", x: round(i * bar + 3), y: HEAT_HEIGHT + 10 }, `${i + firstBar}`));
    return numbers;
  }

  /** The names of the chords, but for those that the one before leaves no room. */
  #chordNames() {
    let end = 0;
    return (this.variation.chords ?? []).flatMap(([step, name]) => {
      const x = round(step * this.stepWidth + 3);
      if (x < end) return [];
      end = x + LETTER_WIDTH * name.length + 4;
      return [svg("text", { class: "small-chord", x, y: HEAT_HEIGHT + 24 }, name)];
    });
  }

  #endLine(right, width) {
    const height = HEIGHT - HEAT_HEIGHT;
    return svg("rect", { class: "small-end", x: round(right - width), y: HEAT_HEIGHT, width, height });
  }

  /** A column under every step, as high as the model was sure of it. */
  #sure() {
    const width = round(Math.max(this.stepWidth - 0.8, 1));
    const columns = this.variation.explained.map((drawn, step) => {
      const height = round(Math.max((drawn?.probability ?? 0) * (SURE_HEIGHT - 4), 1));
      return drawn ? `M${round(step * this.stepWidth)} ${HEIGHT}v${-height}h${width}V${HEIGHT}z` : "";
    });
    return svg("path", { class: "sure", d: columns.join("") });
  }

  /** The step that is looked at, and what the model looked back at when it drew it. */
  #drawLook() {
    if (!this.heat) return;
    const { step, stepWidth } = this;
    this.mark.setAttribute("visibility", step === null ? "hidden" : "visible");
    this.mark.setAttribute("x", (step ?? 0) * stepWidth);
    const weights = (step !== null && this.variation.explained[step]?.attention) || [];
    const [least, most] = [Math.min(...weights), Math.max(...weights)];
    const first = step - 1 - weights.length; // the oldest weight comes first, that of the step before last is the last
    this.heat.replaceChildren(
      ...weights.flatMap((weight, i) => {
        if (first + i < 0) return [];
        const cell = { x: round((first + i) * stepWidth), width: round(stepWidth) };
        // From what it looked at least to what it looked at most: what they differ by is what there is to see.
        const strength = round(most > least ? (weight - least) / (most - least) : 0.5);
        return [
          svg("rect", { class: "heat-cell", ...cell, y: 0, height: HEAT_HEIGHT, opacity: strength }),
          svg("rect", {
            class: "heat-glow",
            ...cell,
            y: HEAT_HEIGHT,
            height: HEIGHT - HEAT_HEIGHT,
            opacity: round(0.2 * strength ** 2),
          }),
        ];
      }),
    );
  }
}

function round(pixels) {
  return Math.round(pixels * 100) / 100;
}
