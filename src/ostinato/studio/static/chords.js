/**
 * Chords beside a melody in their two forms: a track, [[step, name], …], as the server has it; and a text, bar by bar
 * and again and again, "C | Am | F G | C", as people write it. An upbeat comes before the first bar of a text.
 */

import * as api from "./api.js";
import { firstBarOf, meterOf } from "./melody.js";

const sounds = new Map(); // name -> {root, pitches}, as the server told

/** The steps at which so many chords begin in a bar: they share its beats, the first ones with one more. */
function shares(count, { stepsPerBar, stepsPerBeat }) {
  const beats = Math.floor(stepsPerBar / stepsPerBeat);
  return Array.from({ length: count }, (_, place) =>
    count > beats ? Math.floor((place * stepsPerBar) / count) : Math.ceil((place * beats) / count) * stepsPerBeat,
  );
}

/** The track of a text as `textOf` writes it, for the bars from step `first` to step `end`. */
export function trackOf(text, meter, end, first = 0) {
  const bar = meterOf(meter);
  const bars = text.split("|").map((words) => words.trim().split(/\s+/));
  const track = [];
  if (!text) return track;
  for (let number = 0; first + number * bar.stepsPerBar < end; number += 1) {
    const words = bars[number % bars.length];
    shares(words.length, bar).forEach((place, i) => {
      const step = first + number * bar.stepsPerBar + place;
      if (words[i] !== "/" && words[i] !== track.at(-1)?.[1] && step < end) track.push([step, words[i]]);
    });
  }
  return track;
}

/**
 * The text of a track, in even shares of each bar, that is `end` steps long and whose bar 1 begins at step `first`; ""
 * if it has none. What comes again is written once; the last time may be cut off, unless the track `isWhole`.
 */
export function textOf(track, meter, end, first = 0, isWhole = false) {
  if (!track.length) return "";
  const bar = meterOf(meter);
  const bars = [];
  for (let start = first; start < end; start += bar.stepsPerBar) {
    const held = track.findLast(([step]) => step <= start)?.[1] ?? "N.C.";
    const inside = track.filter(([step]) => start < step && step < start + bar.stepsPerBar);
    const begun = new Map([[0, held], ...inside.map(([step, name]) => [step - start, name])]);
    const isRight = (count) => {
      return bar.stepsPerBar % count === 0 && [...begun.keys()].every((place) => shares(count, bar).includes(place));
    };
    let count = 1;
    while (!isRight(count)) count += 1;
    bars.push(shares(count, bar).map((place) => begun.get(place) ?? "/").join(" "));
  }
  const isRound = (length) =>
    length > 0 && !(isWhole && bars.length % length) && bars.every((each, i) => each === bars[i % length]);
  const round = bars.findIndex((_, length) => isRound(length));
  return bars.slice(0, round < 0 ? bars.length : round).join(" | ");
}

/** Where bar 1 of a melody begins: after an upbeat. */
export function firstStepOf(events, meter) {
  return firstBarOf(events, meter) ? 0 : meterOf(meter).stepsPerBar;
}

/** A text as someone wrote it, as `textOf` writes it; an ApiError says what is wrong with it. */
export async function readChords(text, meter) {
  if (!text.trim()) return "";
  const { chords, num_steps: end } = await api.readChords(text, meter);
  for (const { name, root, pitches } of chords) sounds.set(name, { root, pitches });
  return textOf(chords.map(({ step, name }) => [step, name]), meter, end, 0, true);
}

/** The chords of a melody as a text: its own, or the one that it was made over, or else what its track comes to. */
export function chordTextOf({ events, meter, chords = [], made = null, text = made?.request.chords }) {
  return text ?? textOf(chords, meter, events.length, firstStepOf(events, meter));
}

/** What the chords of a track sound like: [{step, root, pitches}, …], the root null where none sounds. */
export async function soundsOf(track) {
  const unknown = [...new Set(track.map(([, name]) => name))].filter((name) => !sounds.has(name));
  if (unknown.length) await readChords(unknown.join(" | "), "4/4");
  return track.filter(([, name]) => sounds.has(name)).map(([step, name]) => ({ step, ...sounds.get(name) }));
}

/** Whether something that was kept is a track. */
export function isTrack(value) {
  const isChord = (each) =>
    Array.isArray(each) && each.length === 2 && Number.isInteger(each[0]) && each[0] >= 0 && typeof each[1] === "string";
  return Array.isArray(value) && value.every(isChord);
}
