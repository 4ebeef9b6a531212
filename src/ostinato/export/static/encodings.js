/**
 * What the network is told after each event: `ostinato.encodings` once more, for one melody that grows.
 *
 * A stepper has `push(event, row)`, which appends an event and fills `row` with the inputs at its position, and
 * `classEvents()`, the event that each class stands for at the next position. The tables of what each number means
 * stand in the Python modules.
 */

import { KEYS_OF_PITCH_CLASS, NO_EVENT, NOTE_OFF } from "./music.js";

const BEATS = [1, 2, 3, 4, 6, 8, 12];
const RUNS = [4, 8, 16, 32, 64];
const LIKENESS = [0.5, 0.7, 0.85, 1];
const LONGEST_RUNS = [4, 8, 16, 24, 32, 48, 64, 96];
const PLACES = 32;
const MAX_MATCH_BARS = 32;
const PLACE_BITS = 4;
const NUM_CHORD_INPUTS = 54; // the last ones, which stay 0: here no chords are known

/** How the melodies of a model become numbers, by the encoding in its settings. */
export class Encoding {
  constructor(settings) {
    const lowest = settings.min_pitch;
    const numPitches = settings.max_pitch - lowest;
    const distances = settings.lookback_distances ?? [];
    const bars = typeof distances === "string" ? barsOf(distances) : null;
    const pitches = Array.from({ length: numPitches }, (_, i) => lowest + i);
    const numEvents = numPitches + 2;
    const numLookbacks = (bars ?? distances).length;
    const lookbackSize = numEvents * (1 + numLookbacks) + (settings.counter_bits ?? 0) + numLookbacks;
    Object.assign(this, { settings, numPitches, numLookbacks, bars });
    this.foretellsEnd = settings.foretells_end ?? false;
    /** The events of the classes that are no repeats, in their order. */
    this.classes = settings.kind === "key" ? [...pitches, NO_EVENT, NOTE_OFF] : [NO_EVENT, NOTE_OFF, ...pitches];
    this.inputSize = {
      one_hot: numEvents,
      lookback: lookbackSize,
      key: numEvents + 2 + numLookbacks + settings.counter_bits + 1 + 24,
      bar:
        lookbackSize + 2 * PLACES + numPitches + 1 + 12 +
        (settings.tells_beat ? BEATS.length + 1 : 0) +
        (settings.tells_matches ? 9 * numLookbacks + LONGEST_RUNS.length + numEvents : 0) +
        (settings.tells_chords ? NUM_CHORD_INPUTS : 0),
    }[settings.kind];
    if (this.inputSize === undefined) throw new Error(`this script knows no encoding called ${settings.kind}`);
  }

  /** The number of an event among `classes` of one-hot and lookback encoding. */
  eventClass(event) {
    return event < 0 ? event + 2 : event - this.settings.min_pitch + 2;
  }

  /** Begin an empty melody of a meter. */
  stepper(meter) {
    return new STEPPERS[this.settings.kind](this, meter);
  }
}

/** The bars that "1,2,4,8 bars" names; "bars" alone names one and two. */
function barsOf(text) {
  const listed = text.replace("bars", "").trim();
  return listed ? listed.split(",").map(Number) : [1, 2];
}

/** What all steppers share: the melody so far, which copies of them go on from. */
class Stepper {
  constructor(encoding, meter) {
    const { settings, bars } = encoding;
    this.encoding = encoding;
    this.meter = meter;
    this.events = [];
    this.heardANote = false;
    this.distances = bars ? bars.map((each) => each * meter.stepsPerBar) : settings.lookback_distances ?? [];
  }

  copy() {
    const other = Object.assign(Object.create(Object.getPrototypeOf(this)), this);
    other.events = [...this.events];
    return other;
  }

  push(event, row) {
    this.heardANote ||= event >= 0;
    this.events.push(this.heardANote ? event : NO_EVENT);
    row.fill(0);
    this.hear(this.events.at(-1));
    this.fill(row);
  }

  hear() {}

  /** What comes next if each distance repeats. */
  ahead() {
    return this.distances.map((distance) => this.events[this.events.length - distance] ?? NO_EVENT);
  }

  classEvents() {
    return [...this.encoding.classes, ...this.ahead()];
  }

  /** Whether the last event repeats the one at a distance; not where the melody is too young. */
  repeats(distance) {
    return this.events.at(-1) === this.events[this.events.length - 1 - distance];
  }

  fillCounter(row, at) {
    let place = this.events.length;
    if (this.encoding.bars) {
      const { stepsPerBar } = this.meter;
      const placeBits = Math.max(PLACE_BITS, Math.ceil(Math.log2(stepsPerBar)));
      place = Math.floor(place / stepsPerBar) * 2 ** placeBits + (place % stepsPerBar);
    }
    const bits = this.encoding.settings.counter_bits;
    for (let bit = 0; bit < bits; bit += 1) row[at + bit] = Math.floor(place / 2 ** bit) % 2 ? 1 : -1;
    return at + bits;
  }

  fillRepeats(row, at) {
    this.distances.forEach((distance, i) => (row[at + i] = this.repeats(distance) ? 1 : 0));
    return at + this.distances.length;
  }

  /** Lookback encoding's part of a row; returns where it ends. */
  fillLookback(row) {
    const { encoding } = this;
    const shown = [this.events.at(-1), ...this.ahead()];
    const block = encoding.numPitches + 2;
    shown.forEach((event, i) => (row[i * block + encoding.eventClass(event)] = 1));
    return this.fillRepeats(row, this.fillCounter(row, shown.length * block));
  }
}

class OneHotStepper extends Stepper {
  fill(row) {
    row[this.encoding.eventClass(this.events.at(-1))] = 1;
  }
}

class LookbackStepper extends Stepper {
  fill(row) {
    this.fillLookback(row);
  }
}

/** Steppers that listen to what sounds, where it is going, and which keys the notes fit. */
class ListeningStepper extends Stepper {
  pitch = -1; // that sounds, or -1
  attack = false; // whether the last event that was no note-off starts a note
  direction = 0; // of the last move between different pitches
  notesInKey = new Array(12).fill(0); // replaced at each note, never changed, so that copies may share it
  recent = [-1, -1, -1]; // the last three different pitches, newest first

  hear(event) {
    if (event !== NOTE_OFF) this.attack = event >= 0;
    if (event === NOTE_OFF) this.pitch = -1;
    if (event < 0) return;
    const [newest, second, third] = this.recent;
    if (newest >= 0 && event !== newest) this.direction = Math.sign(event - newest);
    this.recent = [event, event === newest ? second : newest, event === newest || event === second ? third : second];
    this.pitch = event;
    const keys = KEYS_OF_PITCH_CLASS[event % 12];
    this.notesInKey = this.notesInKey.map((count, key) => count + keys[key]);
  }
}

/** Write 1 at each key that most notes fit: at all that tie. */
function fillBestKeys(row, at, counts) {
  const most = Math.max(...counts);
  counts.forEach((count, key) => (row[at + key] = count === most ? 1 : 0));
  return at + counts.length;
}

class KeyStepper extends ListeningStepper {
  fill(row) {
    const { settings, numPitches, bars } = this.encoding;
    const sounds = this.pitch >= 0;
    if (sounds) row[this.pitch - settings.min_pitch] = 1;
    row[numPitches] = sounds ? 1 : 0;
    row[numPitches + 1] = sounds ? 0 : 1;
    row[numPitches + 2] = this.attack ? 1 : 0;
    row[numPitches + 3] = this.direction;
    let at = this.fillCounter(row, this.fillRepeats(row, numPitches + 4));
    row[at] = this.events.length % (bars ? this.meter.stepsPerBar : settings.steps_per_bar) === 0 ? 1 : 0;
    at = fillBestKeys(row, at + 1, this.notesInKey);
    const fitting = KEYS_OF_PITCH_CLASS.map((_, key) =>
      this.recent.reduce((sum, pitch) => sum + (pitch < 0 ? 0 : KEYS_OF_PITCH_CLASS[pitch % 12][key]), 0),
    );
    fillBestKeys(row, at, fitting);
  }
}

class BarStepper extends ListeningStepper {
  runs = new Int32Array(MAX_MATCH_BARS); // for how many steps the melody has equaled itself 1, 2, 3, ... bars ago
  alike = new Int32Array(MAX_MATCH_BARS); // how many of the last bar's steps did

  copy() {
    const other = super.copy();
    other.runs = this.runs.slice();
    other.alike = this.alike.slice();
    return other;
  }

  hear(event) {
    super.hear(event);
    if (!this.encoding.settings.tells_matches) return;
    const { events, runs, alike } = this;
    const { stepsPerBar } = this.meter;
    const last = events.length - 1;
    const aBarAgo = last - stepsPerBar;
    for (let bars = 1; bars <= MAX_MATCH_BARS && bars * stepsPerBar <= last; bars += 1) {
      const distance = bars * stepsPerBar;
      const equals = event === events[last - distance];
      runs[bars - 1] = equals ? runs[bars - 1] + 1 : 0;
      if (equals) alike[bars - 1] += 1;
      if (aBarAgo >= distance && events[aBarAgo] === events[aBarAgo - distance]) alike[bars - 1] -= 1;
    }
  }

  fill(row) {
    const { settings, numPitches } = this.encoding;
    const { stepsPerBar, stepsPerBeat } = this.meter;
    let at = this.fillLookback(row);
    row[at + Math.min(this.events.length % stepsPerBar, PLACES - 1)] = 1;
    row[at + PLACES + Math.min(stepsPerBar, PLACES) - 1] = 1;
    at += 2 * PLACES;
    row[at + (this.pitch < 0 ? numPitches : this.pitch - settings.min_pitch)] = 1;
    at = fillBestKeys(row, at + numPitches + 1, this.notesInKey);
    if (settings.tells_beat) {
      const beat = BEATS.indexOf(stepsPerBeat);
      row[at + (beat < 0 ? BEATS.length : beat)] = 1;
      at += BEATS.length + 1;
    }
    if (settings.tells_matches) this.fillMatches(row, at);
  }

  fillMatches(row, at) {
    const { encoding, events, runs, alike } = this;
    const { stepsPerBar } = this.meter;
    const tell = (holds) => (row[at++] = holds ? 1 : 0);
    for (const bars of encoding.bars) for (const least of RUNS) tell((runs[bars - 1] ?? 0) >= least);
    for (const bars of encoding.bars) for (const least of LIKENESS) tell((alike[bars - 1] ?? 0) / stepsPerBar >= least);
    const longest = Math.max(...runs);
    for (const least of LONGEST_RUNS) tell(longest >= least);
    const distance = (runs.indexOf(longest) + 1) * stepsPerBar;
    row[at + encoding.eventClass(longest > 0 ? events[events.length - distance] : NO_EVENT)] = 1;
  }
}

const STEPPERS = { one_hot: OneHotStepper, lookback: LookbackStepper, key: KeyStepper, bar: BarStepper };
