/** Melodies, meters and keys: what `ostinato.music` and `generation/transposition.py` know of them. */

export const NO_EVENT = -2;
export const NOTE_OFF = -1;
const MAX_PITCH = 127;
const OCTAVE = 12;
const MAJOR_SCALE = [0, 2, 4, 5, 7, 9, 11];
const PITCH_NAMES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];

/** The rest of a division, never negative. */
export function modulo(number, divisor) {
  return ((number % divisor) + divisor) % divisor;
}

/** Python's rounding: halves go to the even number. */
export function roundHalfEven(number) {
  const below = Math.floor(number);
  const rest = number - below;
  if (rest !== 0.5) return Math.round(number);
  return below % 2 === 0 ? below : below + 1;
}

/** The events as a melody has them: a note-off before the first note changes nothing. */
export function checkedEvents(events) {
  let heardANote = false;
  return Array.from(events, (event, step) => {
    if (!Number.isInteger(event) || event < NO_EVENT || event > MAX_PITCH) {
      throw new RangeError(`event ${event} at step ${step} of a melody is no integer of ${NO_EVENT}..${MAX_PITCH}`);
    }
    heardANote ||= event >= 0;
    return heardANote ? event : NO_EVENT;
  });
}

/** A meter such as "6/8": the lengths of its bar and of its beat, in steps of a 16th note. */
export function parseMeter(text) {
  const found = /^\s*(\d{1,3})\s*\/\s*(\d{1,2})\s*$/.exec(text);
  const [numerator, denominator] = found ? [Number(found[1]), Number(found[2])] : [0, 0];
  const stepsPerBar = (numerator * 16) / denominator;
  if (!(numerator >= 1 && numerator <= 255 && [1, 2, 4, 8, 16, 32, 64].includes(denominator)) || stepsPerBar % 1) {
    throw new RangeError(`the meter ${JSON.stringify(text)} is none whose bar is whole 16th notes; write it as 4/4, 3/4 or 6/8`);
  }
  const beat = Math.max(1, 16 / denominator);
  const isCompound = [8, 16].includes(denominator) && [6, 9, 12].includes(numerator);
  return { name: `${numerator}/${denominator}`, numerator, denominator, stepsPerBar, stepsPerBeat: isCompound ? 3 * beat : beat };
}

/** The name of a MIDI pitch with its octave: 60 is C4. */
export function pitchName(pitch) {
  return `${PITCH_NAMES[pitch % OCTAVE]}${Math.floor(pitch / OCTAVE) - 1}`;
}

const TONICS = { C: 0, D: 2, E: 4, F: 5, G: 7, A: 9, B: 11 };
const ACCIDENTALS = { "": 0, "#": 1, "♯": 1, b: -1, "♭": -1, "##": 2, bb: -2 };
// The scale above its tonic, and how far above it the major key is that shares its notes or comes nearest.
const MODES = {
  major: [[0, 2, 4, 5, 7, 9, 11], 0],
  dorian: [[0, 2, 3, 5, 7, 9, 10], 10],
  phrygian: [[0, 1, 3, 5, 7, 8, 10], 8],
  lydian: [[0, 2, 4, 6, 7, 9, 11], 7],
  mixolydian: [[0, 2, 4, 5, 7, 9, 10], 5],
  minor: [[0, 2, 3, 5, 7, 8, 10], 3],
  locrian: [[0, 1, 3, 5, 6, 8, 10], 1],
  "harmonic minor": [[0, 2, 3, 5, 7, 8, 11], 3],
  "melodic minor": [[0, 2, 3, 5, 7, 9, 11], 3],
  "major pentatonic": [[0, 2, 4, 7, 9], 0],
  "minor pentatonic": [[0, 3, 5, 7, 10], 3],
  blues: [[0, 3, 5, 6, 7, 10], 3],
  "major blues": [[0, 2, 3, 4, 7, 9], 0],
};
const MODE_ALIASES = {
  "": "major",
  maj: "major",
  ionian: "major",
  m: "minor",
  min: "minor",
  aeolian: "minor",
  "natural minor": "minor",
  pentatonic: "major pentatonic",
  "pentatonic major": "major pentatonic",
  "pentatonic minor": "minor pentatonic",
  "minor blues": "blues",
  "blues major": "major blues",
  "blues minor": "blues",
};

/** A key such as "C", "Am" or "D dorian": its name, tonic, pitch classes and the major key of its notes. */
export function parseKey(text) {
  const found = /^\s*([A-Ga-g])(##|#|♯|bb(?!lues)|b(?!lues)|♭|)[\s_-]*(.*?)\s*$/.exec(text);
  if (found) {
    const letter = found[1].toUpperCase();
    const written = found[3] === "M" ? "major" : found[3].toLowerCase().split(/[\s_-]+/).join(" ");
    const mode = MODE_ALIASES[written] ?? written;
    if (Object.hasOwn(MODES, mode)) {
      const [degrees, parent] = MODES[mode];
      const tonic = modulo(TONICS[letter] + ACCIDENTALS[found[2]], OCTAVE);
      return {
        name: `${letter}${found[2].replace("♯", "#").replace("♭", "b")} ${mode}`,
        tonic,
        pitchClasses: degrees.map((degree) => (tonic + degree) % OCTAVE),
        parentMajor: (tonic + parent) % OCTAVE,
      };
    }
  }
  throw new RangeError(`key ${JSON.stringify(text)} is none; write a tonic and a mode, as C, Am, F# minor or Bb mixolydian`);
}

/** [12]: 1 for each major key (0 = C) that a pitch is in. */
export const KEYS_OF_PITCH_CLASS = Array.from({ length: OCTAVE }, (_, pitchClass) =>
  Array.from({ length: OCTAVE }, (_, key) => Number(MAJOR_SCALE.includes(modulo(pitchClass - key, OCTAVE)))),
);

/** The major key that most of the notes fit, 0 = C; of several the lowest. */
function majorKey(pitches) {
  const fitting = Array.from({ length: OCTAVE }, (_, key) =>
    pitches.reduce((sum, pitch) => sum + KEYS_OF_PITCH_CLASS[pitch % OCTAVE][key], 0),
  );
  return fitting.indexOf(Math.max(...fitting));
}

/** The pitch itself if it is in minPitch .. maxPitch - 1, else that of its class in the octave at the nearer end. */
function folded(pitch, minPitch, maxPitch) {
  if (pitch < minPitch) return minPitch + modulo(pitch - minPitch, OCTAVE);
  if (pitch >= maxPitch) return maxPitch - OCTAVE + modulo(pitch - maxPitch, OCTAVE);
  return pitch;
}

/** Events moved into a range and a key; returns them and the semitones they went up. */
function squash(events, minPitch, maxPitch, toKey) {
  const pitches = events.filter((event) => event >= 0);
  if (!pitches.length) return { events, semitones: 0 };
  let semitones = 0;
  if (toKey !== null) {
    const up = toKey - majorKey(pitches);
    const middle = (Math.min(...pitches) + Math.max(...pitches)) / 2;
    semitones = up + OCTAVE * roundHalfEven(((minPitch + maxPitch - 1) / 2 - (middle + up)) / OCTAVE);
  }
  const moved = events.map((event) => (event < 0 ? event : folded(event + semitones, minPitch, maxPitch)));
  return { events: moved, semitones };
}

/** A primer as the model hears it, and the semitones it went up. `key` is the one it is in; null leaves it to tell. */
export function primerIntoModel(events, encoding, key = null) {
  const { min_pitch: low, max_pitch: high, transpose_to_key: toKey } = encoding;
  const pitches = events.filter((event) => event >= 0);
  if (key === null || toKey === null || !pitches.length) return squash(events, low, high, toKey);
  return squash(events, low, high, toKey + majorKey(pitches) - key.parentMajor);
}

/** How far above what is heard the model works where no primer tells. */
export function semitonesWithoutPrimer(encoding, key, minNote, maxNote) {
  if (encoding.transpose_to_key === null) return 0;
  const turn = key === null ? 0 : key.parentMajor - encoding.transpose_to_key;
  const middle = (encoding.min_pitch + encoding.max_pitch - 1) / 2;
  const cost = (move) => [Math.max(minNote - middle - move, middle + move - maxNote, 0), Math.abs(move), move];
  let best = null;
  for (let octaves = -11; octaves <= 11; octaves += 1) {
    const one = cost(turn + OCTAVE * octaves);
    const other = best ?? one;
    const differing = one.findIndex((value, i) => value !== other[i]);
    if (best === null || (differing >= 0 && one[differing] < other[differing])) best = one;
  }
  return -best[2];
}

/** The notes that a melody may begin with where no primer tells, as the model hears them. */
export function openingNotes(encoding, notes, key, semitones) {
  const middle = (encoding.min_pitch + encoding.max_pitch - 1) / 2;
  const isMinor = key !== null && !key.pitchClasses.includes((key.tonic + 4) % OCTAVE);
  const chord = isMinor ? [0, 3, 7] : [0, 4, 7];
  const fit = notes.filter((note) => {
    if (Math.abs(note - middle) > OCTAVE) return false;
    if (key !== null) return chord.includes(modulo(note - semitones - key.tonic, OCTAVE));
    return encoding.transpose_to_key === null || chord.includes(modulo(note - encoding.transpose_to_key, OCTAVE));
  });
  return fit.length ? fit : notes;
}

/** A model's event as it is heard, where the model works so many semitones above. */
export function heardEvent(event, semitones) {
  return event < 0 ? event : folded(event - semitones, 0, MAX_PITCH + 1);
}
