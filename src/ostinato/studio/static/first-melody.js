/** What is on the roll when the page opens: what was there last, or an example to start from. */

import { isMeter } from "./melody.js";
import { recall, remember } from "./storage.js";

const KEY = "ostinato.melody.1";

const EXAMPLE = {
  meter: "4/4",
  qpm: 120,
  notes: [
    [64, 0, 2],
    [67, 2, 2],
    [72, 4, 4],
    [71, 8, 2],
    [67, 10, 2],
    [69, 12, 4],
    [65, 16, 2],
    [69, 18, 2],
    [74, 20, 4],
    [72, 24, 2],
    [69, 26, 2],
    [71, 28, 4],
  ].map(([pitch, start, length]) => ({ pitch, start, length })),
};

export function keepMelody(melody) {
  remember(KEY, melody);
}

/** {notes, meter, qpm} */
export function firstMelody() {
  const kept = recall(KEY, null);
  return isMelody(kept) ? kept : EXAMPLE;
}

/** Another page, or an older one, may have left something else under the same key. */
function isMelody(kept) {
  const isNote = (note) => [note?.pitch, note?.start, note?.length].every(Number.isInteger) && note.length > 0;
  return isMeter(kept?.meter) && Array.isArray(kept.notes) && kept.notes.every(isNote);
}
