/** Changes to some notes of a melody at once: `chosen` is a set of the steps where they begin. None changes its input. */

import { withNotes } from "./melody.js";

export function notesIn(notes, chosen) {
  return notes.filter(({ start }) => chosen.has(start));
}

export function notesWithout(notes, chosen) {
  return notes.filter(({ start }) => !chosen.has(start));
}

/** The steps where the notes begin that a box of steps and pitches touches, all ends included. */
export function notesInBox(notes, [firstStep, lastStep], [lowest, highest]) {
  const isIn = ({ pitch, start, length }) =>
    start <= lastStep && start + length > firstStep && lowest <= pitch && pitch <= highest;
  return new Set(notes.filter(isIn).map(({ start }) => start));
}

/**
 * The notes moved by steps and semitones, as far as all of them stay within the bounds; where they come to lie over
 * others, they are heard. {notes, chosen} afterwards; null if nothing would change.
 */
export function moved(notes, chosen, { later = 0, higher = 0 }, { lowest, highest, maxSteps }) {
  const its = notesIn(notes, chosen);
  if (!its.length) return null;
  const end = Math.max(...its.map(({ start, length }) => start + length));
  const pitches = its.map(({ pitch }) => pitch);
  const steps = clamp(later, -its[0].start, maxSteps - end);
  const semitones = clamp(higher, Math.min(lowest - Math.min(...pitches), 0), Math.max(highest - Math.max(...pitches), 0));
  if (!steps && !semitones) return null;
  const added = its.map(({ pitch, start, length }) => ({ pitch: pitch + semitones, start: start + steps, length }));
  return { notes: withNotes(notesWithout(notes, chosen), added), chosen: startsOf(added) };
}

/** The notes made longer or shorter by steps, none below one step, none into the next of them. */
export function stretched(notes, chosen, longer, { maxSteps }) {
  const its = notesIn(notes, chosen);
  const added = its.map((note, place) => {
    const most = (its[place + 1]?.start ?? maxSteps) - note.start;
    return { ...note, length: clamp(note.length + longer, 1, Math.max(most, note.length)) };
  });
  if (added.every(({ length }, place) => length === its[place].length)) return null;
  return { notes: withNotes(notesWithout(notes, chosen), added), chosen: new Set(chosen) };
}

/**
 * Copied notes put in so that the first of them begins at a step; null if none has room. Those that reach beyond the
 * last step are left out.
 */
export function pasted(notes, copied, step, { maxSteps }) {
  const shift = step - copied[0].start;
  const added = copied.map((note) => ({ ...note, start: note.start + shift }));
  const fitting = added.filter(({ start, length }) => start + length <= maxSteps);
  if (!fitting.length) return null;
  return { notes: withNotes(notes, fitting), chosen: startsOf(fitting), left: added.length - fitting.length };
}

function startsOf(notes) {
  return new Set(notes.map(({ start }) => start));
}

function clamp(value, least, most) {
  return Math.min(Math.max(value, least), most);
}
