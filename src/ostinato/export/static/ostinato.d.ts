/** One event for each step of a 16th note: a MIDI pitch 0..127 starts a note, -1 ends it, -2 changes nothing. */
export type Events = ArrayLike<number> & Iterable<number>;

export interface Options {
  /** Length in 16th notes, the primer included; 128 if you give no length. */
  numSteps?: number | null;
  /** Length in bars instead. A model that has learned where tunes end then brings each melody to an end in the last. */
  numBars?: number | null;
  /** The first events; without them each melody begins with a random note of the key. */
  primer?: Events | null;
  /** Such as "3/4" or "6/8"; 4/4 if you give none. */
  meter?: string;
  /** How many melodies, made side by side; 1 if you do not say. */
  numOutputs?: number;
  /** A whole number of 0 or more, for the same melodies again. Python makes the same of the same weights. */
  seed?: number | null;
  /** Below 1 is safer, above 1 bolder. */
  temperature?: number;
  /** Draw from this many of the likeliest events; 0 draws from all. */
  topK?: number;
  /** Draw from the fewest likeliest events that make up this share, above 0 to 1. */
  topP?: number;
  /** Draw only notes of this key: "C", "Am", "D dorian". */
  key?: string | null;
  /** Lowest MIDI pitch to draw. */
  minNote?: number;
  /** Highest MIDI pitch to draw, included. */
  maxNote?: number;
  /** Whether to end in the last bar; null does where numBars is given and the model can. */
  ending?: boolean | null;
  /** Let each melody end where the model ends it; it has numBars at most, or 32. */
  untilEnd?: boolean;
  /**
   * Begin with an upbeat, in a bar before those of numBars, whose first half is silent; null leaves it to chance, as
   * often as the tunes did that the model has learned from, where the length is in bars and there is no primer.
   */
  upbeat?: boolean | null;
  /** Where choices come from, in place of the seed: a function that gives a number of [0, 1). Not in a worker. */
  random?: (() => number) | null;
}

export interface Melody {
  /** The primer and what follows it. */
  events: number[];
  /** How many of them are the primer's. */
  primerSteps: number;
  meter: string;
  /** Whether the tune ends there. */
  ends: boolean;
}

/** What both kinds of model tell. */
export interface About {
  /** Its kind, such as "lookback_rnn". */
  readonly name: string;
  readonly description: string;
  /** Who made it, of what, under what license. */
  readonly card: Record<string, unknown>;
  /** Whether it has learned where tunes end. */
  readonly canEnd: boolean;
  /** Its encoding: min_pitch, max_pitch and so on. */
  readonly settings: Record<string, unknown>;
}

export class Model implements About {
  constructor(weights: ArrayBuffer);
  readonly name: string;
  readonly description: string;
  readonly card: Record<string, unknown>;
  readonly canEnd: boolean;
  readonly settings: Record<string, unknown>;
  /** Make melodies. Throws RangeError or TypeError where an option cannot be; the message says which. */
  generate(options?: Options): Melody[];
  /** What the model holds likely after each event: a row for each, a number for each class. */
  probabilities(events: Events, meter?: string): number[][];
  /** What the network is told after each event, once the melody is in the model's key. */
  inputs(events: Events, meter?: string): Float64Array[];
}

/** A model in a Web Worker. */
export class RemoteModel implements About {
  constructor(worker: Worker);
  readonly name: string;
  readonly description: string;
  readonly card: Record<string, unknown>;
  readonly canEnd: boolean;
  readonly settings: Record<string, unknown>;
  load(source: string | URL | ArrayBuffer): Promise<this>;
  generate(options?: Options): Promise<Melody[]>;
  /** End the worker. */
  close(): void;
}

/** Read a model: the address of model.safetensors, or its bytes. */
export function load(source: string | URL | ArrayBuffer | ArrayBufferView): Promise<Model>;

/** The same in a Web Worker, so that the page goes on while melodies are made. */
export function loadInWorker(source: string | URL | ArrayBuffer, workerUrl?: string | URL): Promise<RemoteModel>;

/** Serve a RemoteModel, in a worker of your own: `serve(self)`. */
export function serve(scope: unknown): void;

/** The notes of a melody, in steps; `end` is not included. */
export function notesOf(events: Events): { pitch: number; start: number; end: number }[];

/** The events of notes that do not overlap. */
export function eventsOf(notes: { pitch: number; start: number; end: number }[], numSteps?: number): number[];

/** A melody as a MIDI file. `qpm` is quarter notes a minute, `program` a MIDI program 0..127. */
export function toMidi(melody: { events: Events; meter?: string }, options?: { qpm?: number; program?: number }): Uint8Array;

/** NumPy's random numbers: `random()` is that of `numpy.random.default_rng(seed)`. */
export class Generator {
  constructor(seed: number | bigint);
  random(): number;
  /** A whole number of 0 .. bound - 1. */
  integer(bound: number): number;
  spawn(count: number): Generator[];
}
