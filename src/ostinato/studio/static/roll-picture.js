/** What the piano roll looks like: keys, ruler, grid, notes, the two cursors; and which cell a pointer is over. */

import { html, svg } from "./elements.js";
import { endOf, eventsOf, firstBarOf, isBlackKey, meterOf, pitchName } from "./melody.js";

const KEYS_WIDTH = 52;
const RULER_HEIGHT = 26;
const BARS_IN_VIEW = 4;
const GOES_ON_WIDTH = 130;
const LEAST_LINES = 7; // pixels of a step, below which its lines would be a gray veil
const ZOOMS = [0.25, 0.5, 0.75, 1, 1.5, 2, 3]; // of the width of a step

export class RollPicture {
  hasKeys = false; // whether the cursor is moved with keys, and so has to be seen
  stepWidth = 18;
  rowHeight = 14;
  steps = 64;
  zoom = 1;
  #key = null; // { tonic, pitchClasses } that new notes keep to
  #range = [48, 83];
  #shown = null; // { notes, meter, bars, firstBar }
  #selected = new Set();
  #marked = null; // the first and the last bar
  #locked = [];

  constructor(place, onkey) {
    this.place = place;
    this.isCoarse = matchMedia("(pointer: coarse)").matches;
    this.rowHeight = this.isCoarse ? 24 : 15;
    this.ruler = svg("svg", { class: "roll-ruler", "aria-hidden": "true" });
    this.keys = svg("svg", { class: "roll-keys", "aria-hidden": "true" });
    this.grid = svg("svg", { class: "roll-grid", "aria-hidden": "true" });
    this.playhead = html("div", { class: "playhead", hidden: true });
    this.box = svg("rect", { class: "roll-box", visibility: "hidden" });
    this.board = html(
      "div",
      {
        class: "roll-board",
        tabindex: "0",
        role: "application",
        "aria-roledescription": "piano roll",
        "aria-label": "Your melody",
        "aria-describedby": "roll-keys-help",
      },
      this.grid,
      this.playhead,
    );
    place.append(html("div", { class: "roll-corner" }), this.ruler, this.keys, this.board);
    this.#listenToKeys(onkey);
    new ResizeObserver(() => this.#shown && this.#fit() && this.#drawAll()).observe(place);
  }

  get canZoomIn() {
    return this.zoom < ZOOMS.at(-1);
  }

  get canZoomOut() {
    return this.zoom > ZOOMS[0];
  }

  setZoom(zoom) {
    this.zoom = ZOOMS.reduce((best, each) => (Math.abs(each - zoom) < Math.abs(best - zoom) ? each : best));
    if (this.#shown && this.#fit()) this.#drawAll();
  }

  /** Zoom in or out by a notch; what is under the pointer, or at the left edge, stays there. */
  zoomBy(direction, pointer = null) {
    const x = pointer ? pointer.clientX - this.place.getBoundingClientRect().left - KEYS_WIDTH : 0;
    const step = (this.place.scrollLeft + x) / this.stepWidth;
    const place = Math.min(Math.max(ZOOMS.indexOf(this.zoom) + direction, 0), ZOOMS.length - 1);
    this.setZoom(ZOOMS[place]);
    this.place.scrollLeft = step * this.stepWidth - x;
  }

  /** Show which rows are in a key {tonic, pitchClasses}; without one, those of the white keys are bright. */
  setKey(key) {
    if (String(key?.pitchClasses) === String(this.#key?.pitchClasses) && key?.tonic === this.#key?.tonic) return;
    this.#key = key;
    if (this.#shown) this.#drawInPlace();
  }

  setRange(lowest, highest) {
    this.#range = [lowest, highest];
    if (this.#shown) this.#drawInPlace();
  }

  draw(notes, meter, bars) {
    const isFirst = !this.#shown;
    const before = this.#shown;
    this.#shown = { notes, meter, bars, firstBar: firstBarOf(eventsOf(notes), meter) };
    const [lowest, highest] = this.#rows();
    const isSameGrid =
      ["meter", "bars", "firstBar"].every((each) => before?.[each] === this.#shown[each]) &&
      lowest === this.lowest &&
      highest === this.highest;
    if (isSameGrid) return this.drawNotes(notes);
    this.#fit();
    if (isFirst) this.#drawAll();
    else this.#drawInPlace();
    if (isFirst) this.center();
  }

  /** Draw other rows where the old ones were: the pitch in the middle stays there, and notes stay in sight. */
  #drawInPlace() {
    const half = (this.place.clientHeight - RULER_HEIGHT) / 2;
    const { lowest, highest } = this;
    const middle = highest - (this.place.scrollTop + half) / this.rowHeight;
    this.#drawAll();
    if (lowest === this.lowest && highest === this.highest) return;
    this.place.scrollTop = (this.highest - middle) * this.rowHeight - half;
    const y = this.place.scrollTop;
    const isInSight = ({ pitch }) => this.#top(pitch) >= y && this.#top(pitch - 1) <= y + 2 * half;
    if (!this.#shown.notes.every(isInSight)) this.#centerPitches();
  }

  /** Scroll to where the notes are, and to their beginning. */
  center() {
    this.#centerPitches();
    this.place.scrollLeft = 0;
  }

  #centerPitches() {
    const { notes } = this.#shown;
    const pitches = notes.length ? notes.map((note) => note.pitch) : [60, 72];
    const middle = (Math.min(...pitches) + Math.max(...pitches)) / 2;
    const visible = this.place.clientHeight - RULER_HEIGHT;
    this.place.scrollTop = (this.highest - middle + 0.5) * this.rowHeight - visible / 2;
  }

  clampPitch(pitch) {
    return Math.min(Math.max(pitch, this.lowest), this.highest);
  }

  /** The cell under a pointer, and how far along the board it is in pixels. */
  cellAt({ clientX, clientY }) {
    const box = this.grid.getBoundingClientRect();
    const x = clientX - box.left;
    const step = Math.min(Math.max(Math.floor(x / this.stepWidth), 0), this.steps - 1);
    return { x, step, pitch: this.clampPitch(this.highest - Math.floor((clientY - box.top) / this.rowHeight)) };
  }

  get bars() {
    return this.#shown.bars;
  }

  /** The bar under a pointer, counted from 1. */
  barAt({ clientX }) {
    const { stepsPerBar } = meterOf(this.#shown.meter);
    const bar = Math.floor((clientX - this.ruler.getBoundingClientRect().left) / (stepsPerBar * this.stepWidth)) + 1;
    return Math.min(Math.max(bar, 1), this.bars);
  }

  /** Mark bars from the first to the last, or none. */
  markBars(bars) {
    this.#marked = bars;
    const [first, last] = bars ?? [1, 0];
    const bar = meterOf(this.#shown.meter).stepsPerBar * this.stepWidth;
    for (const mark of this.marks) {
      mark.setAttribute("x", (first - 1) * bar);
      mark.setAttribute("width", (last - first + 1) * bar);
    }
  }

  /** Show which bars are locked. */
  lockBars(bars) {
    this.#locked = bars;
    const { stepsPerBar } = meterOf(this.#shown.meter);
    const bar = stepsPerBar * this.stepWidth;
    const columns = bars.map((number) => `M${(number - 1) * bar} 0h${bar}v${this.height}h${-bar}z`);
    this.lockLayer.setAttribute("d", columns.join(""));
    this.lockSigns.replaceChildren(
      ...bars.map((number) => svg("use", { href: "#icon-lock", x: (number - 1) * bar + 22, y: 5, width: 15, height: 15 })),
    );
  }

  showCursor(cell) {
    this.cursor?.remove();
    this.cursor = null;
    if (!cell || !this.hasKeys || document.activeElement !== this.board) return;
    const [x, y] = [cell.step * this.stepWidth, this.#top(cell.pitch)];
    this.cursor = svg("rect", { class: "roll-cursor", x, y, width: this.stepWidth, height: this.rowHeight, rx: 2 });
    this.grid.append(this.cursor);
    this.#reveal(x, y);
  }

  /** Put the playing cursor on a step, or take it away. */
  showPlayhead(step) {
    this.playhead.hidden = step === null;
    if (step === null) return;
    const x = step * this.stepWidth;
    this.playhead.style.transform = `translateX(${x}px)`;
    const { scrollLeft, clientWidth } = this.place;
    if (x < scrollLeft || x > scrollLeft + clientWidth - KEYS_WIDTH - 8) this.place.scrollLeft = x;
  }

  /** Let the notes that begin at these steps be seen as those that keys change. */
  showSelected(starts) {
    this.#selected = starts;
    for (const note of this.noteLayer.children)
      note.classList.toggle("is-selected", starts.has(Number(note.dataset.start)));
  }

  /** Show a box over steps and pitches, ends included, or none. */
  showBox(steps, pitches) {
    this.box.setAttribute("visibility", steps ? "visible" : "hidden");
    if (!steps) return;
    const [first, last] = steps;
    const [lowest, highest] = pitches;
    const [x, y] = [first * this.stepWidth, this.#top(highest)];
    const [width, height] = [(last - first + 1) * this.stepWidth, (highest - lowest + 1) * this.rowHeight];
    for (const [name, value] of Object.entries({ x, y, width, height })) this.box.setAttribute(name, value);
  }

  /** The notes alone; `active` is the one under the pointer. */
  drawNotes(notes, active = null) {
    this.noteLayer.replaceChildren(
      ...notes.map((note) =>
        svg("rect", {
          class: note === active ? "note is-active" : "note",
          "data-start": note.start,
          x: note.start * this.stepWidth + 0.5,
          y: this.#top(note.pitch) + 1,
          width: Math.max(note.length * this.stepWidth - 1.5, 2),
          height: this.rowHeight - 2,
          rx: 3,
        }),
      ),
    );
    this.showSelected(this.#selected);
    const end = endOf(notes);
    const { stepsPerBar } = meterOf(this.#shown.meter);
    const bar = stepsPerBar * this.stepWidth;
    const x = end * this.stepWidth;
    // Beside the line, on the side where no bar's number is in the way.
    const onBar = end % stepsPerBar === 0;
    const isLeft = !onBar && bar - (x % bar) < GOES_ON_WIDTH;
    this.goesOn.setAttribute("x", x + (isLeft ? -6 : onBar ? 22 : 6));
    this.goesOn.setAttribute("text-anchor", isLeft ? "end" : "start");
    this.endLine.setAttribute("transform", `translate(${end * this.stepWidth} 0)`);
    for (const mark of [this.endLine, this.goesOn]) mark.classList.toggle("is-hidden", end === 0);
  }

  #rows() {
    const pitches = this.#shown.notes.map((note) => note.pitch);
    return [Math.min(this.#range[0], ...pitches), Math.max(this.#range[1], ...pitches)];
  }

  #top(pitch) {
    return (this.highest - pitch) * this.rowHeight;
  }

  /** Choose how wide a step is: some bars fill a wide place, a finger finds a step in a narrow one. */
  #fit() {
    const { stepsPerBar } = meterOf(this.#shown.meter);
    const room = this.place.clientWidth - KEYS_WIDTH;
    const least = this.isCoarse ? 20 : 12;
    const fitting = Math.max(Math.floor((room / (BARS_IN_VIEW * stepsPerBar)) * 100) / 100, least);
    const width = Math.round(fitting * this.zoom * 100) / 100;
    const hasChanged = width !== this.stepWidth;
    this.stepWidth = width;
    this.board.dataset.stepWidth = width;
    this.board.style.setProperty("--step-width", `${width}px`);
    return hasChanged;
  }

  #reveal(x, y) {
    const { place } = this;
    const right = place.scrollLeft + place.clientWidth - KEYS_WIDTH - this.stepWidth;
    const bottom = place.scrollTop + place.clientHeight - RULER_HEIGHT - this.rowHeight;
    if (x < place.scrollLeft) place.scrollLeft = x;
    else if (x > right) place.scrollLeft += x - right;
    if (y < place.scrollTop) place.scrollTop = y;
    else if (y > bottom) place.scrollTop += y - bottom;
  }

  #drawAll() {
    const { notes, meter, bars, firstBar } = this.#shown;
    const { stepsPerBar, stepsPerBeat } = meterOf(meter);
    [this.lowest, this.highest] = this.#rows();
    this.steps = bars * stepsPerBar;
    const width = this.steps * this.stepWidth;
    const height = (this.highest - this.lowest + 1) * this.rowHeight;
    const column = (step) => `M${step * this.stepWidth} 0v${height}`;
    const every = (interval) =>
      Array.from({ length: Math.ceil(this.steps / interval) }, (_, i) => column(i * interval));
    const pitches = Array.from({ length: this.highest - this.lowest + 1 }, (_, i) => this.highest - i);
    const rows = (chosen) =>
      chosen.map((pitch) => `M0 ${this.#top(pitch)}h${width}v${this.rowHeight}h${-width}z`).join("");
    this.noteLayer = svg("g", { class: "roll-notes" });
    this.goesOn = svg("text", { class: "roll-goes-on", y: 17 }, "the model goes on");
    this.endLine = svg("path", { class: "roll-end", d: `M0 0v${height}` });
    this.height = height;
    this.lockLayer = svg("path", { class: "roll-locked" });
    this.lockSigns = svg("g", { class: "roll-locks" });
    this.marks = [height, RULER_HEIGHT].map((tall) => svg("rect", { class: "roll-marked", height: tall }));
    size(this.grid, width, height);
    this.grid.replaceChildren(
      svg("path", { class: "roll-black", d: rows(pitches.filter((pitch) => !this.#isBright(pitch))) }),
      svg("path", { class: "roll-tonic", d: rows(pitches.filter((pitch) => pitch % 12 === this.#key?.tonic)) }),
      svg("path", { class: "roll-beyond", d: rows(pitches.filter((pitch) => !this.#isInRange(pitch))) }),
      svg("path", { class: "roll-steps", d: this.stepWidth < LEAST_LINES ? "" : every(1).join("") }),
      svg("path", { class: "roll-beats", d: every(stepsPerBeat).join("") }),
      svg("path", { class: "roll-bars", d: every(stepsPerBar).join("") }),
      svg("path", {
        class: "roll-octaves",
        d: pitches
          .filter((p) => p % 12 === 11)
          .map((p) => `M0 ${this.#top(p)}h${width}`)
          .join(""),
      }),
      this.lockLayer,
      this.marks[0],
      this.noteLayer,
      this.endLine,
      this.box,
    );
    size(this.ruler, width, RULER_HEIGHT);
    this.ruler.replaceChildren(
      this.marks[1],
      ...Array.from({ length: bars }, (_, bar) =>
        svg("text", { x: bar * stepsPerBar * this.stepWidth + 6, y: 17 }, `${bar + firstBar}`),
      ),
      svg("path", {
        d: Array.from({ length: bars }, (_, bar) => `M${bar * stepsPerBar * this.stepWidth} 8v18`).join(""),
      }),
    );
    this.ruler.append(this.lockSigns, this.goesOn);
    size(this.keys, KEYS_WIDTH, height);
    this.keys.replaceChildren(...pitches.map((pitch) => this.#keyPicture(pitch)));
    this.drawNotes(notes);
    this.markBars(this.#marked);
    this.lockBars(this.#locked);
  }

  #isBright(pitch) {
    return this.#key ? this.#key.pitchClasses.includes(pitch % 12) : !isBlackKey(pitch);
  }

  #isInRange(pitch) {
    return this.#range[0] <= pitch && pitch <= this.#range[1];
  }

  #keyPicture(pitch) {
    const y = this.#top(pitch);
    const black = isBlackKey(pitch);
    const label =
      pitch % 12 === 0 ? [svg("text", { x: KEYS_WIDTH - 7, y: y + this.rowHeight - 4 }, pitchName(pitch))] : [];
    const shape = {
      x: 0,
      y,
      width: black ? KEYS_WIDTH * 0.6 : KEYS_WIDTH,
      height: this.rowHeight,
      "data-pitch": pitch,
    };
    return svg("g", {}, svg("rect", { class: black ? "key is-black" : "key", ...shape }), ...label);
  }

  /** The keys in the margin can be played, too. */
  #listenToKeys(onkey) {
    let pressed = null;
    const up = () => {
      if (pressed) onkey(Number(pressed.dataset.pitch), false);
      pressed?.classList.remove("is-down");
      pressed = null;
    };
    this.keys.addEventListener("pointerdown", (event) => {
      if (!event.target.dataset.pitch) return;
      pressed = event.target;
      pressed.classList.add("is-down");
      onkey(Number(pressed.dataset.pitch), true);
    });
    for (const name of ["pointerup", "pointerleave", "pointercancel"]) this.keys.addEventListener(name, up);
  }
}

function size(picture, width, height) {
  picture.setAttribute("width", width);
  picture.setAttribute("height", height);
}
