/** A melody as notes, and as the bytes of a MIDI file. */

import { parseMeter } from "./music.js";

const TICKS_PER_QUARTER = 220; // as Ostinato writes
const TICKS_PER_STEP = TICKS_PER_QUARTER / 4;
const VELOCITY = 100;

/** The notes {pitch, start, end} of a melody, in steps; `end` is not included. */
export function notesOf(events) {
  const changes = [...events].map((event, step) => ({ event, step })).filter(({ event }) => event > -2);
  return changes
    .map(({ event, step }, i) => ({ pitch: event, start: step, end: changes[i + 1]?.step ?? events.length }))
    .filter(({ pitch }) => pitch >= 0);
}

/** The other way round: as many events as the notes need, or `numSteps`. Notes do not overlap. */
export function eventsOf(notes, numSteps = Math.max(0, ...notes.map(({ end }) => end))) {
  const events = new Array(numSteps).fill(-2);
  for (const { end } of notes) if (end < numSteps) events[end] = -1;
  for (const { pitch, start } of notes) events[start] = pitch;
  return events;
}

function variableLength(number) {
  const bytes = [number & 127];
  for (let rest = number >> 7; rest; rest >>= 7) bytes.unshift((rest & 127) | 128);
  return bytes;
}

function bigEndian(number, size) {
  return Array.from({ length: size }, (_, i) => (number >>> (8 * (size - 1 - i))) & 255);
}

function track(events) {
  const body = [];
  let now = 0;
  for (const [tick, ...bytes] of events) {
    body.push(...variableLength(tick - now), ...bytes);
    now = tick;
  }
  body.push(0, 0xff, 0x2f, 0);
  return [0x4d, 0x54, 0x72, 0x6b, ...bigEndian(body.length, 4), ...body];
}

/** A melody {events, meter} as a MIDI file of type 1; see ostinato.d.ts. */
export function toMidi({ events, meter = "4/4" }, { qpm = 120, program = 0 } = {}) {
  const { numerator, denominator } = parseMeter(meter);
  const tempo = Math.round(60_000_000 / qpm);
  if (!(tempo >= 1 && tempo <= 0xffffff)) throw new RangeError(`qpm must be a tempo of 3.58 to 60,000,000, not ${qpm}`);
  const signature = [0, 0xff, 0x58, 4, numerator, Math.log2(denominator), 24, 8];
  const sounding = notesOf(events).flatMap(({ pitch, start, end }) => [
    [start * TICKS_PER_STEP, 0x90, pitch, VELOCITY],
    [end * TICKS_PER_STEP, 0x80, pitch, 0],
  ]);
  return Uint8Array.from([
    ...[0x4d, 0x54, 0x68, 0x64, 0, 0, 0, 6, 0, 1, 0, 2, ...bigEndian(TICKS_PER_QUARTER, 2)],
    ...track([[0, 0xff, 0x51, 3, ...bigEndian(tempo, 3)], signature]),
    ...track([[0, 0xc0, program], ...sounding]),
  ]);
}
