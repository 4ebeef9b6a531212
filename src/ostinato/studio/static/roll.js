/** The piano roll that is written on, with a mouse, a finger or the keyboard. */

import { RollPicture } from "./roll-picture.js";
import { barsOf, endOf, eventsOf, firstBarOf, meterOf, noteAt, pitchName, placeName, withNote, withoutNote } from "./melody.js";

const FIRST_LENGTH = 4; // of a note that is only clicked, until another length is drawn
const EDGE = { mouse: 7, touch: 16 }; // pixels at a note's end that stretch it
const STILL = 8; // pixels within which a finger's touch is a tap

export class PianoRoll {
  isErasing = false;
  #notes = [];
  #meter = "4/4";
  #cursor = { step: 0, pitch: 60 };
  #length = FIRST_LENGTH;
  #gesture = null;
  #selected = null; // the step where the note begins that was clicked last

  /**
   * @param {HTMLElement} place where the roll goes; it scrolls inside.
   * @param onedit called with the new notes and what changed, in words.
   * @param onhear called with a pitch to be heard for a moment.
   * @param onkey called with a pitch and whether the key in the margin goes down or up.
   * @param say called with a sentence for a screen reader.
   */
  constructor(place, { maxSteps, onedit, onhear, onkey, say }) {
    this.maxSteps = maxSteps;
    this.picture = new RollPicture(place, onkey);
    Object.assign(this, { onedit, onhear, say });
    const { board } = this.picture;
    board.addEventListener("pointerdown", (event) => this.#begin(event));
    board.addEventListener("pointermove", (event) => this.#move(event));
    board.addEventListener("pointerup", (event) => this.#finish(event));
    board.addEventListener("pointercancel", () => this.#cancel());
    board.addEventListener("contextmenu", (event) => event.preventDefault());
    board.addEventListener("keydown", (event) => this.#key(event));
    board.addEventListener("focus", () => {
      this.picture.hasKeys = board.matches(":focus-visible");
      this.picture.showCursor(this.#cursor);
    });
    board.addEventListener("blur", () => this.picture.showCursor(null));
    // A finger on a note moves it; on the empty grid it scrolls.
    const hold = (event) => {
      if (this.#hit(event.touches[0]).note) event.preventDefault();
    };
    board.addEventListener("touchstart", hold, { passive: false });
  }

  /** Show a melody; there is always an empty bar after it to write in. */
  show(notes, meter) {
    this.#notes = notes;
    this.#meter = meter;
    const { stepsPerBar } = meterOf(meter);
    const most = Math.floor(this.maxSteps / stepsPerBar);
    const bars = Math.min(Math.max(barsOf(endOf(notes), stepsPerBar) + 1, 4), most);
    this.picture.draw(notes, meter, bars);
    this.#select(this.#selected);
    this.#cursor.step = Math.min(this.#cursor.step, this.picture.steps - 1);
    this.picture.showCursor(this.#cursor);
  }

  /** The pitches that can be written, lowest and highest; those of the notes are always among them. */
  setRange(lowest, highest) {
    this.picture.setRange(lowest, highest);
  }

  /** Erase the note at the cursor, as the Delete key does. */
  eraseAtCursor() {
    const note = noteAt(this.#notes, this.#cursor.step);
    if (note) this.#edit(withoutNote(this.#notes, note), `${pitchName(note.pitch)} erased`);
    else this.say("There is no note at the cursor.");
  }

  /** Move, stretch or erase the note that was clicked last; whether the key is one that does. */
  keyOnSelected(event) {
    const note = this.#notes.find(({ start }) => start === this.#selected);
    if (!note) return false;
    this.#cursor = { step: note.start, pitch: note.pitch };
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (arrow && event.shiftKey) this.#reshape(0, arrow[0], 12 * arrow[1]);
    else if (arrow) this.#reshape(arrow[0], 0, arrow[1]);
    else if (event.key === "Delete" || event.key === "Backspace") this.eraseAtCursor();
    else return false;
    return true;
  }

  #select(step) {
    const note = this.#notes.find(({ start }) => start === step) ?? null;
    this.#selected = note && step;
    this.picture.showSelected(note);
  }

  #edit(notes, what) {
    this.onedit(notes, what);
    this.say(`${what}.`);
  }

  /** What a pointer is over: the cell, the note in it, and whether it is at that note's end. */
  #hit(pointer, edge = EDGE.touch) {
    const cell = this.picture.cellAt(pointer);
    const note = this.#notes.find(
      ({ pitch, start, length }) => pitch === cell.pitch && start <= cell.step && cell.step < start + length,
    );
    if (!note) return { cell, note: null, atEnd: false };
    const width = this.picture.stepWidth;
    const toEnd = (note.start + note.length) * width - cell.x;
    return { cell, note, atEnd: toEnd < Math.min(edge, (note.length * width) / 2.5) };
  }

  #begin(event) {
    if (this.#gesture || !event.isPrimary) return;
    this.picture.hasKeys = false;
    const isTouch = event.pointerType === "touch";
    const { cell, note, atEnd } = this.#hit(event, isTouch ? EDGE.touch : EDGE.mouse);
    this.#cursor = { step: cell.step, pitch: cell.pitch };
    const gesture = { cell, note, x: event.clientX, y: event.clientY, draft: this.#notes, isTouch };
    if (this.isErasing || event.button === 2) gesture.kind = "erase";
    else if (event.button !== 0) return;
    else if (note) gesture.kind = atEnd ? "stretch" : "move";
    else gesture.kind = isTouch ? "tap" : "draw";
    this.#gesture = gesture;
    if (gesture.kind !== "tap") this.picture.board.setPointerCapture(event.pointerId);
    if (gesture.kind === "erase") this.#erase(note);
    if (gesture.kind === "draw") this.#draft(this.#newNote(cell));
    if (note && gesture.kind !== "erase") this.onhear(note.pitch);
    if (gesture.kind === "draw") this.onhear(cell.pitch);
  }

  #move(event) {
    const gesture = this.#gesture;
    if (!gesture) {
      if (event.pointerType === "mouse") this.#showWhatAPressWouldDo(event);
      return;
    }
    const { kind, note, cell: first } = gesture;
    const cell = this.picture.cellAt(event);
    if (kind === "erase") this.#erase(this.#hit(event).note);
    else if (kind === "draw") {
      if (cell.step === first.step && !gesture.isDrawn) return;
      gesture.isDrawn = true;
      const start = Math.min(first.step, cell.step);
      const length = Math.abs(cell.step - first.step) + 1;
      this.#draft({ pitch: first.pitch, start, length });
    } else if (kind === "stretch") {
      const length = Math.max(Math.min(cell.step, this.maxSteps - 1) - note.start + 1, 1);
      if (length !== note.length || gesture.added) this.#draft({ ...note, length }, note);
    } else if (kind === "move") {
      const start = Math.min(Math.max(note.start + cell.step - first.step, 0), this.maxSteps - note.length);
      const pitch = note.pitch + cell.pitch - first.pitch;
      if (gesture.added?.pitch !== pitch && (gesture.added ?? note).pitch !== pitch) this.onhear(pitch);
      this.#draft({ ...note, start, pitch: this.picture.clampPitch(pitch) }, note);
    }
  }

  /** Show the melody as it would be with this note (in place of another), until the pointer goes up. */
  #draft(added, replaced = null) {
    const rest = replaced ? withoutNote(this.#notes, replaced) : this.#notes;
    this.#gesture.added = added;
    this.#gesture.draft = withNote(rest, added);
    this.picture.drawNotes(this.#gesture.draft, added);
  }

  #erase(note) {
    const { draft } = this.#gesture;
    const there = note && draft.find((other) => other.start === note.start);
    if (!there) return;
    this.#gesture.draft = withoutNote(draft, there);
    this.picture.drawNotes(this.#gesture.draft);
  }

  #finish(event) {
    const gesture = this.#gesture;
    if (!gesture) return;
    this.#gesture = null;
    const { kind, cell, note, added } = gesture;
    const traveled = Math.hypot(event.clientX - gesture.x, event.clientY - gesture.y);
    if (kind === "tap") {
      if (traveled > STILL) return;
      const tapped = this.#newNote(cell);
      this.onhear(tapped.pitch);
      this.#edit(withNote(this.#notes, tapped), this.#told(tapped, "drawn"));
    } else if (kind === "erase") {
      const gone = this.#notes.length - gesture.draft.length;
      if (gone) this.#edit(gesture.draft, gone === 1 ? "1 note erased" : `${gone} notes erased`);
    } else if (added && !(note && same(added, note))) {
      if (kind === "draw" || kind === "stretch") this.#length = added.length;
      this.#cursor = { step: added.start, pitch: added.pitch };
      this.#edit(gesture.draft, this.#told(added, { draw: "drawn", stretch: "stretched", move: "moved" }[kind]));
    } else this.picture.drawNotes(this.#notes);
    this.#select(added?.start ?? note?.start ?? null);
    this.picture.showCursor(this.#cursor);
  }

  #cancel() {
    this.#gesture = null;
    this.picture.drawNotes(this.#notes);
  }

  #showWhatAPressWouldDo(event) {
    const { note, atEnd } = this.#hit(event, EDGE.mouse);
    this.picture.board.dataset.over = this.isErasing ? "erase" : note ? (atEnd ? "end" : "note") : "empty";
  }

  /** A note of the length used last, but not into the next one nor off the grid. */
  #newNote({ step, pitch }) {
    const next = this.#notes.find((note) => note.start > step)?.start ?? this.maxSteps;
    return { pitch, start: step, length: Math.min(this.#length, next - step) };
  }

  #placeName(step) {
    return placeName(step, this.#meter, firstBarOf(eventsOf(this.#notes), this.#meter));
  }

  #told(note, done) {
    const length = note.length === 1 ? "one 16th" : `${note.length} 16ths`;
    return `${pitchName(note.pitch)} ${done}, ${this.#placeName(note.start)}, ${length} long`;
  }

  #key(event) {
    if (event.altKey || event.metaKey || event.key === " " || event.key === "Escape") return;
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    // These change a note that was clicked, wherever the focus is: see keyOnSelected.
    if (arrow && this.#selected !== null && !this.picture.hasKeys && !event.ctrlKey) return;
    this.picture.hasKeys = true;
    const { stepsPerBar } = meterOf(this.#meter);
    if (arrow && event.shiftKey) this.#reshape(...(arrow[1] ? [0, 0, arrow[1]] : [0, arrow[0], 0]));
    else if (arrow && event.ctrlKey) this.#reshape(arrow[0], 0, 12 * arrow[1]);
    else if (event.ctrlKey) return;
    else if (arrow) this.#goTo(this.#cursor.step + arrow[0], this.#cursor.pitch + arrow[1]);
    else if (event.key === "PageUp") this.#goTo(this.#cursor.step, this.#cursor.pitch + 12);
    else if (event.key === "PageDown") this.#goTo(this.#cursor.step, this.#cursor.pitch - 12);
    else if (event.key === "Home") this.#goTo(0, this.#cursor.pitch);
    else if (event.key === "End") this.#goTo(endOf(this.#notes), this.#cursor.pitch);
    else if (event.key === "<" || event.key === ",") this.#goTo(this.#cursor.step - stepsPerBar, this.#cursor.pitch);
    else if (event.key === ">" || event.key === ".") this.#goTo(this.#cursor.step + stepsPerBar, this.#cursor.pitch);
    else if (event.key === "Enter") this.#toggle();
    else if (event.key === "Delete" || event.key === "Backspace") this.eraseAtCursor();
    else return;
    event.preventDefault();
  }

  #goTo(step, pitch) {
    this.#select(null);
    this.#cursor = {
      step: Math.min(Math.max(step, 0), this.picture.steps - 1),
      pitch: this.picture.clampPitch(pitch),
    };
    this.picture.showCursor(this.#cursor);
    const note = noteAt(this.#notes, this.#cursor.step);
    const sounding = note
      ? note.pitch === this.#cursor.pitch
        ? ", on the note"
        : `, ${pitchName(note.pitch)} sounds`
      : "";
    this.say(`${pitchName(this.#cursor.pitch)}, ${this.#placeName(this.#cursor.step)}${sounding}`);
  }

  #toggle() {
    const note = noteAt(this.#notes, this.#cursor.step);
    if (note?.pitch === this.#cursor.pitch) return this.eraseAtCursor();
    const added = this.#newNote(this.#cursor);
    this.onhear(added.pitch);
    this.#edit(withNote(this.#notes, added), this.#told(added, "drawn"));
  }

  /** Move or stretch the note at the cursor, by steps, by steps of length, by semitones. */
  #reshape(later, longer, higher) {
    const note = noteAt(this.#notes, this.#cursor.step);
    if (!note) return this.say("There is no note at the cursor.");
    const changed = {
      start: Math.max(note.start + later, 0),
      length: Math.max(note.length + longer, 1),
      pitch: this.picture.clampPitch(note.pitch + higher),
    };
    if (same(changed, note) || changed.start + changed.length > this.maxSteps) return;
    this.#cursor = { step: changed.start, pitch: changed.pitch };
    if (this.#selected === note.start) this.#selected = changed.start;
    if (longer) this.#length = changed.length;
    if (higher) this.onhear(changed.pitch);
    this.#edit(withNote(withoutNote(this.#notes, note), changed), this.#told(changed, longer ? "stretched" : "moved"));
    this.picture.showCursor(this.#cursor);
  }
}

function same(one, other) {
  return one.start === other.start && one.length === other.length && one.pitch === other.pitch;
}
