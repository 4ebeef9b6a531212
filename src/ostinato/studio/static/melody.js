/**
 * A melody in its two forms: events, one for every 16th (a pitch starts a note, -1 ends it, -2 changes nothing), as
 * the server has it; and notes {pitch, start, length} in 16ths, sorted and never overlapping, as it is drawn.
 */

export const NOTE_OFF = -1;
export const NO_EVENT = -2;
const STEPS_PER_QUARTER = 4;

/** The meters to choose from; a file may bring others. */
export const METERS = ["2/4", "3/4", "4/4", "5/4", "2/2", "3/2", "3/8", "5/8", "6/8", "7/8", "9/8", "12/8"];

const NAMES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];

export function pitchName(pitch) {
  return `${NAMES[pitch % 12]}${Math.floor(pitch / 12) - 1}`;
}

export function isBlackKey(pitch) {
  return NAMES[pitch % 12].length > 1;
}

/** What a bar of a meter such as "6/8" is: its length and that of its beat, in 16ths. 6, 9 and 12 count in threes. */
export function meterOf(name) {
  const [numerator, denominator] = name.split("/").map(Number);
  const note = 16 / denominator;
  const isCompound = [8, 16].includes(denominator) && [6, 9, 12].includes(numerator);
  return { stepsPerBar: numerator * note, stepsPerBeat: isCompound ? 3 * note : Math.max(note, 1) };
}

/** Whether something is the name of a meter with bars of whole 16ths. */
export function isMeter(name) {
  return /^[1-9]\d{0,2}\/(1|2|4|8|16|32|64)$/.test(name) && Number.isInteger(meterOf(name).stepsPerBar);
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

/** The notes with some more, which are heard whole: what sounds before is cut short, what begins under them goes. */
export function withNotes(notes, added) {
  return added.reduce(withNote, notes);
}

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

/**
 * The number of a melody's first bar: 1, or 0 where it begins with an upbeat, as its first note is in the second half
 * of the bar.
 */
export function firstBarOf(events, meter) {
  const { stepsPerBar } = meterOf(meter);
  const first = events.findIndex((event) => event >= 0);
  return 2 * first >= stepsPerBar && first < stepsPerBar && events.length > stepsPerBar ? 0 : 1;
}

/** The step at which a melody is begun to be played: an upbeat's first note. */
export function beginOf(events, meter) {
  return firstBarOf(events, meter) ? 0 : events.findIndex((event) => event >= 0);
}

/** Where a step is, in a musician's words: bar 2, beat 3, second 16th; `firstBar` is the number of the first bar. */
export function placeName(step, meter, firstBar = 1) {
  const { stepsPerBar, stepsPerBeat } = meterOf(meter);
  const inBar = step % stepsPerBar;
  const sixteenth = inBar % stepsPerBeat;
  const bar = Math.floor(step / stepsPerBar) + firstBar;
  const place = `${bar ? `bar ${bar}` : "upbeat"}, beat ${Math.floor(inBar / stepsPerBeat) + 1}`;
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
