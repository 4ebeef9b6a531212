/**
 * A melody in its two forms: events, one for every 16th (a pitch starts a note, -1 ends it, -2 changes nothing), as
 * the server has it; and notes {pitch, start, length} in 16ths, sorted and never overlapping, as it is drawn.
 */

export const NOTE_OFF = -1;
const NO_EVENT = -2;
const STEPS_PER_QUARTER = 4;

/** What a bar is: its length and that of its beat, in 16ths. */
export const METERS = {
  "4/4": { stepsPerBar: 16, stepsPerBeat: 4 },
  "3/4": { stepsPerBar: 12, stepsPerBeat: 4 },
  "6/8": { stepsPerBar: 12, stepsPerBeat: 6 },
  "9/8": { stepsPerBar: 18, stepsPerBeat: 6 },
  "2/4": { stepsPerBar: 8, stepsPerBeat: 4 },
};

const NAMES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];

export function pitchName(pitch) {
  return `${NAMES[pitch % 12]}${Math.floor(pitch / 12) - 1}`;
}

export function isBlackKey(pitch) {
  return NAMES[pitch % 12].length > 1;
}

/**
 * The meter of a bar of so many steps; `preferred` decides between 3/4 and 6/8. One that is not in the table, as from
 * a file, is added to it by its plainest name: 20 steps are 5/4, 14 are 7/8.
 */
export function meterOf(stepsPerBar, preferred) {
  if (METERS[preferred]?.stepsPerBar === stepsPerBar) return preferred;
  const known = Object.keys(METERS).find((name) => METERS[name].stepsPerBar === stepsPerBar);
  if (known) return known;
  const stepsPerBeat = [4, 2, 1].find((steps) => stepsPerBar % steps === 0);
  const name = `${stepsPerBar / stepsPerBeat}/${16 / stepsPerBeat}`;
  METERS[name] = { stepsPerBar, stepsPerBeat };
  return name;
}

export function notesOf(events) {
  const notes = [];
  let sounding = null;
  events.forEach((event, step) => {
    if (event === NO_EVENT) return;
    if (sounding) sounding.length = step - sounding.start;
    sounding = null;
    if (event >= 0) notes.push((sounding = { pitch: event, start: step, length: events.length - step }));
  });
  return notes;
}

/** The events of notes; as long as the last note, or as `length` steps. */
export function eventsOf(notes, length = endOf(notes)) {
  const events = new Array(length).fill(NO_EVENT);
  for (const note of notes) {
    events[note.start] = note.pitch; // in place of the end of one that ends here
    const end = note.start + note.length;
    if (end < length) events[end] = NOTE_OFF;
  }
  return events;
}

/** The step after the last note. */
export function endOf(notes) {
  const last = notes.at(-1);
  return last ? last.start + last.length : 0;
}

/** The note that sounds at a step. */
export function noteAt(notes, step) {
  return notes.find((note) => note.start <= step && step < note.start + note.length) ?? null;
}

/** The notes with one more, which is heard whole: what sounds before is cut short, what begins under it goes. */
export function withNote(notes, added) {
  const end = added.start + added.length;
  const kept = [];
  for (const note of notes) {
    if (note.start >= added.start && note.start < end) continue;
    const cut = note.start < added.start ? Math.min(note.length, added.start - note.start) : note.length;
    kept.push({ ...note, length: cut });
  }
  return [...kept, added].sort((one, other) => one.start - other.start);
}

export function withoutNote(notes, removed) {
  return notes.filter((note) => note !== removed);
}

/** Whole bars that hold so many steps. */
export function barsOf(steps, stepsPerBar) {
  return Math.ceil(steps / stepsPerBar);
}

/** Where a step is, in a musician's words: bar 2, beat 3, second 16th. */
export function placeName(step, meter) {
  const { stepsPerBar, stepsPerBeat } = METERS[meter];
  const inBar = step % stepsPerBar;
  const sixteenth = inBar % stepsPerBeat;
  const place = `bar ${Math.floor(step / stepsPerBar) + 1}, beat ${Math.floor(inBar / stepsPerBeat) + 1}`;
  return sixteenth ? `${place}, 16th ${sixteenth + 1}` : place;
}

export function secondsPerStep(qpm) {
  return 60 / qpm / STEPS_PER_QUARTER;
}

/** What an event means where it stands: a pitch, or whether the note before goes on. */
export function eventName(event, isSounding) {
  if (event >= 0) return pitchName(event);
  if (event === NOTE_OFF) return isSounding ? "note ends" : "silence";
  return isSounding ? "held" : "silence";
}
