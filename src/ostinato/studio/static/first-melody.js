/** What is on the roll at a first visit: an example to start from, or what an earlier studio kept. */

import { isMeter } from "./melody.js";
import { recallOld } from "./storage.js";

const OLD_KEY = "ostinato.melody.1";

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

/** {notes, meter, qpm} */
export function firstMelody() {
  const kept = recallOld(OLD_KEY);
  return isMelody(kept) ? kept : EXAMPLE;
}

/** Another page may have left something else under the same key. */
function isMelody(kept) {
  const isNote = (note) => [note?.pitch, note?.start, note?.length].every(Number.isInteger) && note.length > 0;
  return isMeter(kept?.meter) && Array.isArray(kept.notes) && kept.notes.every(isNote);
}
