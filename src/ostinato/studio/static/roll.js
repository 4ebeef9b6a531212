/** The piano roll that is written on, with a mouse, a finger or the keyboard. */

import { RollPicture } from "./roll-picture.js";
import {
  barsOf,
  endOf,
  eventsOf,
  firstBarOf,
  meterOf,
  noteAt,
  pitchName,
  placeName,
  withNote,
  withoutNote,
} from "./melody.js";
import { moved, notesIn, notesInBox, notesWithout, pasted, stretched } from "./note-edits.js";

const FIRST_LENGTH = 4; // of a note that is only clicked, until another length is drawn
const EDGE = { mouse: 7, touch: 16 }; // pixels at a note's end that stretch it
const STILL = 8; // pixels within which a finger's touch is a tap
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export class PianoRoll {
  isErasing = false;
  isSelecting = false; // with a finger, too: drag a box around notes
  snap = 1; // 16ths that what is drawn and moved keeps to, or "beat"
  #notes = [];
  #meter = "4/4";
  #cursor = { step: 0, pitch: 60 };
  #length = FIRST_LENGTH;
  #gesture = null;
  #selected = new Set(); // the steps where the notes begin that keys change
  #copied = []; // notes

  /**
   * @param {HTMLElement} place where the roll goes; it scrolls inside.
   * @param onedit called with the new notes and what changed, in words.
   * @param onhear called with a pitch to be heard for a moment.
   * @param onselect called with the notes that are selected, whenever they may be others.
   * @param onkey called with a pitch and whether the key in the margin goes down or up.
   * @param say called with a sentence for a screen reader.
   */
  constructor(place, { maxSteps, onedit, onhear, onkey, onselect, say }) {
    this.maxSteps = maxSteps;
    this.picture = new RollPicture(place, onkey);
    Object.assign(this, { onedit, onhear, onselect, say });
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
      if (this.isSelecting || this.#hit(event.touches[0]).note) event.preventDefault();
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
    const isThere = (start) => notes.some((note) => note.start === start);
    this.#select([...this.#selected].every(isThere) ? this.#selected : []);
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

  /** The notes that keys change. */
  get selected() {
    return notesIn(this.#notes, this.#selected);
  }

  /** Whether there is something to paste. */
  get hasCopy() {
    return this.#copied.length > 0;
  }

  /** Move, stretch, copy or erase the notes that are selected; whether the key is one that does. */
  keyOnSelected(event) {
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      const command = { a: this.selectAll, c: this.copy, x: this.cut, v: this.paste, d: this.duplicate }[key];
      if (!command || event.shiftKey) return false;
      command.call(this);
      return true;
    }
    if (!this.#selected.size) return false;
    const arrow = ARROWS[event.key];
    if (arrow && event.shiftKey) this.change(arrow[0] ? { longer: arrow[0] } : { higher: 12 * arrow[1] });
    else if (arrow) this.change({ later: arrow[0] * this.#grid, higher: arrow[1] });
    else if (key === "delete" || key === "backspace") this.eraseSelected();
    else return false;
    return true;
  }

  /** Move the selected notes by steps and semitones, or stretch them by steps. */
  change({ later = 0, higher = 0, longer = 0 }) {
    const bounds = this.#bounds;
    const result = longer
      ? stretched(this.#notes, this.#selected, longer, bounds)
      : moved(this.#notes, this.#selected, { later, higher }, bounds);
    if (!result) return this.say("They can go no further.");
    const [first] = notesIn(result.notes, result.chosen);
    if (higher) this.onhear(first.pitch);
    if (longer) this.#length = first.length;
    this.#cursor = { step: first.start, pitch: first.pitch };
    return this.#apply(result, longer ? "stretched" : "moved");
  }

  selectAll() {
    this.#select(this.#notes.map(({ start }) => start));
    this.say(`${counted(this.#selected.size)} selected.`);
  }

  copy() {
    if (!this.#selected.size) return this.say("No note is selected.");
    this.#copied = notesIn(this.#notes, this.#selected);
    this.onselect(this.#copied);
    return this.say(`${counted(this.#copied.length)} copied.`);
  }

  cut() {
    this.copy();
    this.eraseSelected("cut");
  }

  /** Put in what was copied: at a step, or at the cursor of the keyboard, or whole bars after the notes that are selected. */
  paste(step = null) {
    if (!this.#copied.length) return this.say("Nothing has been copied.");
    const { stepsPerBar } = meterOf(this.#meter);
    const last = notesIn(this.#notes, this.#selected);
    const from = last.length ? last : this.#copied;
    const bars = barsOf(endOf(from) - from[0].start, stepsPerBar);
    const after = from[0].start + bars * stepsPerBar;
    const result = pasted(this.#notes, this.#copied, step ?? (this.picture.hasKeys ? this.#cursor.step : after), this.#bounds);
    if (!result) return this.say("There is no room for it.");
    return this.#apply(result, "pasted");
  }

  /** The selected notes once more, whole bars later. */
  duplicate() {
    if (!this.#selected.size) return this.say("No note is selected.");
    this.copy();
    this.picture.hasKeys = false;
    return this.paste();
  }

  eraseSelected(done = "erased") {
    if (!this.#selected.size) return;
    const result = { notes: notesWithout(this.#notes, this.#selected), chosen: new Set() };
    this.#apply(result, done, notesIn(this.#notes, this.#selected));
  }

  #apply({ notes, chosen, left = 0 }, done, its = notesIn(notes, chosen)) {
    this.#selected = chosen;
    const told = its.length === 1 && done !== "erased" ? this.#told(its[0], done) : `${counted(its.length)} ${done}`;
    this.#edit(notes, left ? `${told}; ${left} more would not fit` : told);
    this.picture.showCursor(this.#cursor);
  }

  /** How many 16ths what is drawn and moved keeps to. */
  get #grid() {
    return this.snap === "beat" ? meterOf(this.#meter).stepsPerBeat : this.snap;
  }

  get #bounds() {
    const { lowest, highest } = this.picture;
    return { lowest, highest, maxSteps: this.maxSteps };
  }

  #snapped(step) {
    return step - (step % this.#grid);
  }

  #select(starts) {
    const there = new Set(this.#notes.map(({ start }) => start));
    this.#selected = new Set([...starts].filter((start) => there.has(start)));
    this.picture.showSelected(this.#selected);
    this.onselect(notesIn(this.#notes, this.#selected));
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
    else if (note && event.shiftKey) gesture.kind = "toggle";
    else if (note) gesture.kind = atEnd ? "stretch" : "move";
    else if (this.isSelecting || event.shiftKey) gesture.kind = "box";
    else gesture.kind = isTouch ? "tap" : "draw";
    gesture.before = gesture.kind === "box" && event.shiftKey ? this.#selected : new Set();
    this.#gesture = gesture;
    if (gesture.kind !== "tap") this.picture.board.setPointerCapture(event.pointerId);
    if (gesture.kind === "erase") this.#erase(note);
    if (gesture.kind === "draw") this.#draft(this.#newNote(cell));
    if (gesture.kind === "move" && !this.#selected.has(note.start)) this.#select([note.start]);
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
    const grid = this.#grid;
    if (kind === "erase") this.#erase(this.#hit(event).note);
    else if (kind === "draw") {
      if (cell.step === first.step && !gesture.isDrawn) return;
      gesture.isDrawn = true;
      const start = this.#snapped(Math.min(first.step, cell.step));
      const end = Math.min(this.#snapped(Math.max(first.step, cell.step)) + grid, this.maxSteps);
      this.#draft({ pitch: first.pitch, start, length: end - start });
    } else if (kind === "stretch") {
      const end = Math.min(this.#snapped(cell.step) + grid, this.maxSteps);
      const length = Math.max(end - note.start, 1);
      if (length !== note.length || gesture.added) this.#draft({ ...note, length }, note);
    } else if (kind === "move") this.#moveBy(cell.step - first.step, cell.pitch - first.pitch);
    else if (kind === "box") this.#box(first, cell);
  }

  /** Let the selected notes be seen moved; the one under the pointer keeps to the grid. */
  #moveBy(steps, semitones) {
    const gesture = this.#gesture;
    const { note } = gesture;
    const later = this.#grid === 1 ? steps : this.#snapped(Math.max(note.start + steps, 0)) - note.start;
    const wanted = { later: steps ? later : 0, higher: semitones };
    const result = moved(this.#notes, this.#selected, wanted, this.#bounds);
    const shift = result ? [...result.chosen][0] - [...this.#selected].sort((one, other) => one - other)[0] : 0;
    const added = (result?.notes ?? this.#notes).find(({ start }) => start === note.start + shift) ?? note;
    if ((gesture.added ?? note).pitch !== added.pitch) this.onhear(added.pitch);
    Object.assign(gesture, { added, result, draft: result?.notes ?? this.#notes });
    this.picture.drawNotes(gesture.draft, added);
  }

  /** Select what a box from one cell to another touches. */
  #box(one, other) {
    const steps = [one.step, other.step].sort((a, b) => a - b);
    const pitches = [one.pitch, other.pitch].sort((a, b) => a - b);
    this.picture.showBox(steps, pitches);
    this.#select([...this.#gesture.before, ...notesInBox(this.#notes, steps, pitches)]);
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
    this.picture.showBox(null);
    if (kind === "box") return this.say(`${counted(this.#selected.size)} selected.`);
    if (kind === "toggle") {
      const others = [...this.#selected].filter((start) => start !== note.start);
      this.#select(others.length < this.#selected.size ? others : [...others, note.start]);
      return this.say(`${counted(this.#selected.size)} selected.`);
    }
    if (kind === "tap") {
      if (traveled > STILL) return;
      const tapped = this.#newNote(cell);
      this.onhear(tapped.pitch);
      this.#edit(withNote(this.#notes, tapped), this.#told(tapped, "drawn"));
      this.#select([tapped.start]);
    } else if (kind === "erase") {
      const gone = this.#notes.length - gesture.draft.length;
      if (gone) this.#edit(gesture.draft, `${counted(gone)} erased`);
    } else if (kind === "move") {
      if (gesture.result) {
        this.#cursor = { step: added.start, pitch: added.pitch };
        this.#apply(gesture.result, "moved");
      } else {
        this.picture.drawNotes(this.#notes);
        if (!gesture.added) this.#select([note.start]); // a click on one of several
      }
    } else if (added && !(note && same(added, note))) {
      this.#length = added.length;
      this.#cursor = { step: added.start, pitch: added.pitch };
      this.#edit(gesture.draft, this.#told(added, kind === "draw" ? "drawn" : "stretched"));
      this.#select([added.start]);
    } else {
      this.picture.drawNotes(this.#notes);
      this.#select(note ? [note.start] : []);
    }
    this.picture.showCursor(this.#cursor);
  }

  #cancel() {
    this.#gesture = null;
    this.picture.showBox(null);
    this.picture.drawNotes(this.#notes);
  }

  #showWhatAPressWouldDo(event) {
    const { note, atEnd } = this.#hit(event, EDGE.mouse);
    this.picture.board.dataset.over = this.isErasing ? "erase" : note ? (atEnd ? "end" : "note") : "empty";
  }

  /** A note of the length used last, but not into the next one nor off the grid. */
  #newNote({ step, pitch }) {
    const start = this.#snapped(step);
    const next = this.#notes.find((note) => note.start > start)?.start ?? this.maxSteps;
    return { pitch, start, length: Math.min(Math.max(this.#length, this.#grid), next - start) };
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
    const arrow = ARROWS[event.key];
    // These change the notes that were selected, wherever the focus is: see keyOnSelected.
    const isErasure = event.key === "Delete" || event.key === "Backspace";
    if ((arrow || isErasure) && this.#selected.size && !this.picture.hasKeys && !event.ctrlKey) return;
    this.picture.hasKeys = true;
    const { stepsPerBar } = meterOf(this.#meter);
    if (arrow && event.shiftKey) this.#changeAtCursor(arrow[1] ? { higher: arrow[1] } : { longer: arrow[0] });
    else if (arrow && event.ctrlKey) this.#changeAtCursor({ later: arrow[0] * this.#grid, higher: 12 * arrow[1] });
    else if (event.ctrlKey) return;
    else if (arrow) this.#goTo(this.#cursor.step + arrow[0], this.#cursor.pitch + arrow[1]);
    else if (event.key === "PageUp") this.#goTo(this.#cursor.step, this.#cursor.pitch + 12);
    else if (event.key === "PageDown") this.#goTo(this.#cursor.step, this.#cursor.pitch - 12);
    else if (event.key === "Home") this.#goTo(0, this.#cursor.pitch);
    else if (event.key === "End") this.#goTo(endOf(this.#notes), this.#cursor.pitch);
    else if (event.key === "<" || event.key === ",") this.#goTo(this.#cursor.step - stepsPerBar, this.#cursor.pitch);
    else if (event.key === ">" || event.key === ".") this.#goTo(this.#cursor.step + stepsPerBar, this.#cursor.pitch);
    else if (event.key === "Enter") this.#toggle();
    else if (isErasure) this.eraseAtCursor();
    else return;
    event.preventDefault();
  }

  #goTo(step, pitch) {
    this.#select([]);
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

  /** Move or stretch the note at the cursor; the cursor goes with it. */
  #changeAtCursor(change) {
    const note = noteAt(this.#notes, this.#cursor.step);
    if (!note) return this.say("There is no note at the cursor.");
    this.#select([note.start]);
    this.change(change);
    return this.#select([]);
  }
}

function counted(number) {
  return number === 1 ? "1 note" : `${number} notes`;
}

function same(one, other) {
  return one.start === other.start && one.length === other.length && one.pitch === other.pitch;
}
