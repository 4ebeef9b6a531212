/** A model to play with, and how it makes melodies: `ostinato.generation` once more. */

import { Encoding } from "./encodings.js";
import {
  NO_EVENT,
  checkedEvents,
  heardEvent,
  openingNotes,
  parseKey,
  parseMeter,
  pitchName,
  primerIntoModel,
  semitonesWithoutPrimer,
} from "./music.js";
import { Network, logSoftmax, readWeights, softmax } from "./network.js";
import { Generator } from "./random.js";

const FORMAT = 1;
const MOST_BARS = 32; // of a melody that ends by itself
const LEAST_BARS = 4;
const ENDING_BARS = 2;
const NUM_CONTINUATIONS = 32; // of which the one is kept that ends best
const LEAST_LOG_PROBABILITY = -1e300;
const DEFAULTS = {
  numSteps: null,
  numBars: null,
  primer: null,
  meter: "4/4",
  numOutputs: 1,
  seed: null,
  temperature: 1,
  topK: 0,
  topP: 1,
  key: null,
  minNote: 0,
  maxNote: 127,
  ending: null,
  untilEnd: false,
  upbeat: null,
  random: null,
};

/** Read a model; see ostinato.d.ts. */
export async function load(source) {
  if (source instanceof ArrayBuffer) return new Model(source);
  if (ArrayBuffer.isView(source)) {
    return new Model(source.buffer.slice(source.byteOffset, source.byteOffset + source.byteLength));
  }
  if (String(source).startsWith("file:") && globalThis.process?.versions?.node) {
    const { readFile } = await import("node:fs/promises"); // node fetches no files
    return load(await readFile(new URL(source)));
  }
  const answer = await fetch(source);
  if (!answer.ok) throw new Error(`${source}: ${answer.status} ${answer.statusText}`);
  return new Model(await answer.arrayBuffer());
}

/** A trained model. */
export class Model {
  #encoding;
  #network;
  #upbeats;

  constructor(buffer) {
    const { metadata, arrays } = readWeights(buffer);
    if (!(Number(metadata?.["ostinato.format"]) <= FORMAT)) {
      throw new Error("these weights are of another format; write them and this script again with ostinato export");
    }
    const { name, encoding, hparams } = JSON.parse(metadata["ostinato.config"]);
    const provenance = JSON.parse(metadata["ostinato.provenance"]);
    this.name = name;
    this.description = String(provenance.description ?? "");
    this.card = provenance.card ?? {};
    this.settings = encoding;
    this.#upbeats = provenance.data?.upbeats ?? 0;
    this.#encoding = new Encoding(encoding);
    this.#network = new Network(arrays, this.#encoding.inputSize, hparams);
  }

  /** Whether the model has learned where tunes end. */
  get canEnd() {
    return this.#encoding.foretellsEnd;
  }

  /** What the network is told after each event of a melody, which is moved into the model's key: [n][D]. */
  inputs(events, meter = "4/4") {
    const stepper = this.#encoding.stepper(parseMeter(meter));
    return primerIntoModel(checkedEvents(events), this.settings).events.map((event) => {
      const row = new Float64Array(this.#encoding.inputSize);
      stepper.push(event, row);
      return row;
    });
  }

  /** What the model holds likely after each event of a melody: [n][C]. */
  probabilities(events, meter = "4/4") {
    const state = this.#network.initialState(1);
    return this.inputs(events, meter).map((row) => softmax(this.#network.step(row, state)));
  }

  /** Make melodies; see ostinato.d.ts for the options. */
  generate(options = {}) {
    const asked = settled(options, this);
    const generators = asked.random
      ? Array.from({ length: asked.numOutputs }, () => new GivenNumbers(asked.random))
      : new Generator(asked.seed ?? freshSeed()).spawn(asked.numOutputs);
    const haveUpbeat = this.#haveUpbeat(asked, generators);
    const made = [];
    for (const upbeat of [false, true]) {
      const places = [...generators.keys()].filter((place) => haveUpbeat[place] === upbeat);
      if (!places.length) continue;
      // The bar of the upbeat comes before those that are counted.
      const numSteps = asked.numSteps + (upbeat ? asked.meter.stepsPerBar : 0);
      const some = this.#make({ ...asked, numSteps }, places.map((place) => generators[place]), upbeat);
      some.forEach((melody, i) => (made[places[i]] = melody));
    }
    return made;
  }

  /** Which melodies begin with an upbeat: as many as tunes did that the model has learned from. */
  #haveUpbeat(asked, generators) {
    const isInBars = asked.numBars !== null || asked.untilEnd;
    const share = asked.upbeat === null ? this.#upbeats : Number(asked.upbeat);
    if (asked.primer || asked.random || !isInBars || !share) return generators.map(() => false);
    return generators.map((generator) => generator.spawn(1)[0].random() < share);
  }

  /** Melodies that all begin with an upbeat, or all without. */
  #make(asked, generators, upbeat) {
    const begun = this.#begin(asked, generators, upbeat);
    const given = begun.openings[0].length;
    const numSteps = asked.numSteps - given;
    const numLast = asked.untilEnd ? numSteps : asked.ending ? Math.min(numSteps, ENDING_BARS * asked.meter.stepsPerBar) : 0;
    const { melodies } = begun;
    const made = generators.map(() => []);
    for (let step = 0; step < numSteps - numLast; step += 1) {
      melodies.extend(generators).forEach((event, i) => made[i].push(event));
    }
    let ends = generators.map(() => false);
    if (numLast) {
      const least = Math.max(1, LEAST_BARS * asked.meter.stepsPerBar - given);
      const last = asked.untilEnd
        ? drawUntilEnd(melodies, generators, numLast, least)
        : drawEnding(melodies, generators, numLast, asked.meter.stepsPerBar);
      last.events.forEach((events, i) => made[i].push(...events));
      ends = last.ends;
    }
    return made.map((events, i) => ({
      events: [...begun.openings[i], ...events.map((event) => heardEvent(event, begun.semitones))],
      primerSteps: asked.primer ? given : 0,
      meter: asked.meter.name,
      ends: ends[i],
    }));
  }

  /** Feed the opening. */
  #begin(asked, generators, upbeat) {
    const { primer, key, meter } = asked;
    const encoding = this.#encoding;
    let semitones = 0;
    let fed = [];
    if (primer) ({ events: fed, semitones } = primerIntoModel(primer, this.settings, key));
    else semitones = semitonesWithoutPrimer(this.settings, key, asked.minNote, asked.maxNote);
    const constraints = new Constraints(asked, this.settings, semitones);
    const stepper = () => encoding.stepper(meter);
    let melodies;
    let openings;
    // After half a bar of silence the model makes an upbeat.
    const given = upbeat ? new Array(Math.floor(meter.stepsPerBar / 2)).fill(NO_EVENT) : primer;
    if (upbeat) fed = given;
    if (given) {
      melodies = new Growing(this.#network, encoding, stepper, [fed[0]], asked.temperature, constraints);
      for (const event of fed.slice(1)) melodies.append(event);
      melodies = melodies.select(generators.map(() => 0));
      openings = generators.map(() => given);
    } else {
      const notes = openingNotes(this.settings, constraints.notes, key, semitones);
      const first = generators.map((generator) => notes[generator.integer(notes.length)]);
      melodies = new Growing(this.#network, encoding, stepper, first, asked.temperature, constraints);
      openings = first.map((note) => [heardEvent(note, semitones)]);
    }
    return { melodies, openings, semitones, generators };
  }
}

/** Random numbers that the caller gives, one after the other, to whoever asks. */
class GivenNumbers {
  constructor(random) {
    this.random = random;
  }

  integer(bound) {
    return Math.floor(this.random() * bound);
  }

  spawn(count) {
    return Array.from({ length: count }, () => this);
  }
}

function freshSeed() {
  return Math.floor(Math.random() * Number.MAX_SAFE_INTEGER);
}

/** The options, checked, with what is not given filled in. */
function settled(options, model) {
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(DEFAULTS, name));
  if (unknown) throw new TypeError(`no option is called ${unknown}; there are ${Object.keys(DEFAULTS).join(", ")}`);
  const asked = { ...DEFAULTS };
  for (const [name, value] of Object.entries(options)) if (value !== undefined) asked[name] = value;
  const require = (holds, name, bound) => {
    if (!holds) throw new RangeError(`${name} must be ${bound}, not ${JSON.stringify(asked[name])}`);
  };
  const isWhole = (value, least) => Number.isSafeInteger(value) && value >= least;
  for (const name of ["numSteps", "numBars"]) {
    require(asked[name] === null || isWhole(asked[name], 1), name, "a whole number of 1 or more");
  }
  require(isWhole(asked.numOutputs, 1), "numOutputs", "a whole number of 1 or more");
  require(asked.seed === null || isWhole(asked.seed, 0), "seed", "a whole number of 0 or more");
  require(Number.isFinite(asked.temperature) && asked.temperature > 0, "temperature", "a number above 0");
  require(isWhole(asked.topK, 0), "topK", "a whole number of 0 or more");
  require(asked.topP > 0 && asked.topP <= 1, "topP", "a share above 0 and up to 1");
  for (const name of ["minNote", "maxNote"]) require(isWhole(asked[name], 0) && asked[name] <= 127, name, "a MIDI pitch 0..127");
  asked.meter = parseMeter(asked.meter);
  asked.key = asked.key === null ? null : parseKey(asked.key);
  if (asked.primer !== null) {
    asked.primer = checkedEvents(asked.primer);
    if (!asked.primer.some((event) => event >= 0)) throw new RangeError("the primer holds no note; leave it out to begin with a random note");
  }
  if (!model.canEnd && (asked.untilEnd || asked.ending)) {
    throw new RangeError(`${model.name} has not learned where tunes end; take another model, or leave out untilEnd and ending`);
  }
  if (asked.upbeat && asked.primer) throw new RangeError("upbeat begins a melody without a primer; leave one of them out");
  if (asked.upbeat && asked.numBars === null && !asked.untilEnd) throw new RangeError("upbeat comes before the bars that numBars counts; give numBars or untilEnd");
  if (asked.untilEnd && asked.ending === false) throw new RangeError("untilEnd brings each melody to its end, which ending: false forbids; leave one out");
  asked.ending ??= asked.numBars !== null && model.canEnd;
  if (asked.numSteps !== null && (asked.numBars !== null || asked.untilEnd)) throw new RangeError("give numBars or numSteps; untilEnd takes numBars");
  const bars = asked.numBars ?? (asked.untilEnd ? MOST_BARS : null);
  asked.numSteps = bars === null ? asked.numSteps ?? 128 : bars * asked.meter.stepsPerBar;
  const given = asked.primer?.length ?? 0;
  if (given >= asked.numSteps) {
    throw new RangeError(`the primer is ${given} steps long but ${asked.numSteps} steps were asked for in all; ask for more, or shorten the primer`);
  }
  return asked;
}

/** What may be drawn: the notes of a key and a range, the likeliest few events. Events count as they are heard. */
class Constraints {
  constructor({ key, minNote, maxNote, topK, topP }, settings, semitones) {
    const allows = (pitch) => (key === null || key.pitchClasses.includes(pitch % 12)) && minNote <= pitch && pitch <= maxNote;
    this.semitones = semitones;
    this.topK = topK;
    this.topP = topP;
    this.limitsNotes = key !== null || minNote > 0 || maxNote < 127;
    this.allows = (event) => event < 0 || allows(heardEvent(event, semitones));
    const pitches = Array.from({ length: settings.max_pitch - settings.min_pitch }, (_, i) => settings.min_pitch + i);
    this.notes = pitches.filter(this.allows);
    if (!this.notes.length) {
      const heard = pitches.map((pitch) => heardEvent(pitch, semitones));
      const [low, high] = [Math.min(...heard), Math.max(...heard)];
      throw new RangeError(
        `here the model makes notes of ${low}..${high} (${pitchName(low)}..${pitchName(high)}), and none of them ` +
          `is ${key ? `of ${key.name} ` : ""}within ${minNote}..${maxNote}; widen the range, or move the primer`,
      );
    }
  }

  /** The logarithms of what to draw from, -Infinity for what may not be drawn. */
  filter(logProbabilities, classEvents) {
    const { topK, topP } = this;
    if (!this.limitsNotes && !topK && topP === 1) return logProbabilities;
    const possible = logProbabilities.map((value) => Math.max(value, LEAST_LOG_PROBABILITY));
    const kept = classEvents.map(this.allows);
    const filtered = () => logSoftmax(possible.map((value, i) => (kept[i] ? value : -Infinity)));
    if (!topK && topP === 1) return filtered();
    const sums = new Array(130).fill(0);
    const heard = classEvents.map((event) => heardEvent(event, this.semitones) - NO_EVENT);
    filtered().forEach((value, i) => (sums[heard[i]] += Math.exp(value)));
    const likeliest = this.#likeliest(sums);
    heard.forEach((event, i) => (kept[i] &&= likeliest.has(event)));
    return filtered();
  }

  #likeliest(probabilities) {
    let order = probabilities.map((_, event) => event).sort((one, other) => probabilities[other] - probabilities[one]);
    if (this.topK) order = order.slice(0, this.topK);
    order = order.filter((event) => probabilities[event] > 0);
    if (this.topP < 1) {
      const share = this.topP * order.reduce((sum, event) => sum + probabilities[event], 0);
      let before = 0;
      order = order.filter((event, rank) => {
        const keep = rank === 0 || before < share;
        before += probabilities[event];
        return keep;
      });
    }
    return new Set(order);
  }
}

/**
 * Melodies at the model's hands. Those that are still the same share a slot: what the model makes of them is computed
 * once, until a draw parts them.
 */
class Growing {
  #slots; // of each melody
  #steppers; // of each slot, as `#last` is, the event that was not fed yet
  #last;
  #state;
  #heard = null;

  constructor(network, encoding, stepper, firsts, temperature, constraints) {
    Object.assign(this, { network, encoding, temperature, constraints });
    this.#slots = firsts.map((_, i) => i);
    this.#steppers = firsts.map(stepper);
    this.#last = firsts;
    this.#state = network.initialState(firsts.length);
  }

  /** Feed the last event of each melody; returns the logits [B][C] of what may follow. */
  hear() {
    const { inputSize } = this.encoding;
    const count = this.#last.length;
    const inputs = new Float64Array(count * inputSize);
    this.#steppers.forEach((stepper, i) => stepper.push(this.#last[i], inputs.subarray(i * inputSize, (i + 1) * inputSize)));
    const logits = this.network.step(inputs, this.#state);
    const numClasses = logits.length / count;
    this.#heard = this.#last.map((_, i) => logits.subarray(i * numClasses, (i + 1) * numClasses));
    return this.#slots.map((slot) => this.#heard[slot]);
  }

  /** Append a drawn event to each, and return them; each of the generators serves as many melodies. */
  extend(generators) {
    if (!this.#heard) this.hear();
    const choices = this.#heard.map((logits, slot) => {
      const events = this.#steppers[slot].classEvents();
      // The end of the tune, where it has a class, is no event: what is drawn is how the tune goes on.
      const likely = logSoftmax(logits.subarray(0, events.length), this.temperature);
      return { events, probabilities: this.constraints.filter(likely, events).map(Math.exp) };
    });
    const each = this.#slots.length / generators.length;
    const drawn = this.#slots.map((slot, i) => {
      const { events, probabilities } = choices[slot];
      return events[inverseCdf(probabilities, generators[Math.floor(i / each)].random())];
    });
    this.#part(drawn);
    return drawn;
  }

  /** Append a given event to each. */
  append(event) {
    if (!this.#heard) this.hear();
    this.#part(this.#slots.map(() => event));
  }

  /** The melodies at `rows`, in that order, in place of these; rows may repeat. */
  select(rows) {
    this.#slots = rows.map((row) => this.#slots[row]);
    return this;
  }

  /** Give each melody the slot of those that were the same and go on with the same event. */
  #part(events) {
    const places = new Map();
    const from = [];
    const last = [];
    this.#slots = this.#slots.map((slot, i) => {
      const way = `${slot} ${events[i]}`;
      if (!places.has(way)) {
        places.set(way, from.length);
        from.push(slot);
        last.push(events[i]);
      }
      return places.get(way);
    });
    this.#last = last;
    this.#heard = null;
    if (from.length === this.#steppers.length && from.every((slot, i) => slot === i)) return;
    this.#steppers = from.map((slot) => this.#steppers[slot].copy());
    this.#state = this.network.select(this.#state, from);
  }
}

/** The place at which the cumulative probability passes a uniform number. */
export function inverseCdf(probabilities, uniform) {
  let total = 0;
  const cumulative = probabilities.map((probability) => (total += probability));
  const sought = uniform * total;
  const place = cumulative.findIndex((sum) => sum > sought);
  return place >= 0 ? place : cumulative.indexOf(total); // rounding must not lead past the last one
}

/** How likely the tune is over, as a natural logarithm. */
function logEnd(logits) {
  return logSoftmax(logits).at(-1);
}

/** Go on with each melody to an end within the last bar of `numSteps`: the best of many continuations of each. */
function drawEnding(melodies, generators, numSteps, stepsPerBar) {
  const children = generators.map((generator) => generator.spawn(1)[0]);
  const branched = melodies.select(children.flatMap((_, i) => new Array(NUM_CONTINUATIONS).fill(i)));
  const window = Math.min(stepsPerBar, numSteps);
  const events = Array.from({ length: children.length * NUM_CONTINUATIONS }, () => []);
  const logEnds = events.map(() => []);
  for (let step = 0; step <= numSteps; step += 1) {
    const logits = branched.hear();
    if (step > numSteps - window) logits.forEach((each, i) => logEnds[i].push(logEnd(each)));
    if (step < numSteps) branched.extend(children).forEach((event, i) => events[i].push(event));
  }
  const chosen = children.map((_, i) => {
    let [best, its] = [-Infinity, null];
    const seen = new Set();
    for (let row = i * NUM_CONTINUATIONS; row < (i + 1) * NUM_CONTINUATIONS; row += 1) {
      const text = events[row].join();
      if (seen.has(text)) continue;
      seen.add(text);
      logEnds[row].forEach((value, place) => {
        const rounded = Math.round(value * 1e6);
        if (rounded > best || its === null) [best, its] = [rounded, events[row].slice(0, numSteps - window + 1 + place)];
      });
    }
    return its;
  });
  return { events: chosen, ends: chosen.map(() => true) };
}

/** Go on with each melody until it ends, or for `numSteps`; it has `leastSteps` at least. */
function drawUntilEnd(melodies, generators, numSteps, leastSteps) {
  const own = generators.map((generator) => generator.spawn(1)[0]);
  const uniforms = own.map((generator) => Array.from({ length: numSteps + 1 }, () => generator.random()));
  const events = generators.map(() => []);
  const ends = generators.map(() => false);
  for (let step = 0; step <= numSteps; step += 1) {
    const logits = melodies.hear();
    if (step >= leastSteps) logits.forEach((each, i) => (ends[i] ||= uniforms[i][step] < Math.exp(logEnd(each))));
    if (step === numSteps || ends.every((over) => over)) break;
    melodies.extend(generators).forEach((event, i) => ends[i] || events[i].push(event));
  }
  return { events, ends };
}
