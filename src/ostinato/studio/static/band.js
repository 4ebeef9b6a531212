/**
 * What a bass and drums play to a melody, by a few rules: its chords, or where it has none its key, and for each bar
 * the chord of that key that holds most of it; the root and the fifth of that chord for the bass, and the meter's
 * pulses for the drums.
 */

import { estimatedKey } from "./keys.js";
import { endOf, meterOf, noteAt } from "./melody.js";

// The chords of a key: semitones over its tonic, the tones over their root, and how readily they are taken.
const [MAJOR, MINOR] = [
  [0, 4, 7],
  [0, 3, 7],
];
const CHORDS = {
  major: [
    { degree: 0, tones: MAJOR, bonus: 0.1 },
    { degree: 7, tones: MAJOR, bonus: 0.05 },
    { degree: 5, tones: MAJOR, bonus: 0.05 },
    { degree: 9, tones: MINOR, bonus: 0 },
    { degree: 2, tones: MINOR, bonus: 0 },
    { degree: 4, tones: MINOR, bonus: -0.1 },
  ],
  minor: [
    { degree: 0, tones: MINOR, bonus: 0.1 },
    { degree: 7, tones: MAJOR, bonus: 0.05 },
    { degree: 5, tones: MINOR, bonus: 0.05 },
    { degree: 8, tones: MAJOR, bonus: 0 },
    { degree: 10, tones: MAJOR, bonus: 0 },
    { degree: 3, tones: MAJOR, bonus: 0 },
    { degree: 7, tones: MINOR, bonus: -0.05 },
  ],
};
const AT_HOME = 0.15; // for the tonic in the first bar and the last
const OUTSIDE = 0.6; // what a tone outside of a chord costs, where one inside gains 1
const LOWEST_BASS = 36; // C2; the roots lie in the octave over it

/** The chord of each bar of a track {notes, steps, meter}: {root, tones}, pitch classes; [] if there are no notes. */
export function chordsOf({ notes, steps, meter }) {
  if (!notes.length) return [];
  const { tonic, mode } = estimatedKey(notes);
  const known = CHORDS[["minor", "dorian"].includes(mode) ? "minor" : "major"];
  const { stepsPerBar, stepsPerBeat } = meterOf(meter);
  const last = Math.floor((endOf(notes) - 1) / stepsPerBar);
  const chords = [];
  for (let bar = 0; bar * stepsPerBar < steps; bar += 1) {
    const heard = weightsOf(notes, bar * stepsPerBar, stepsPerBar, stepsPerBeat);
    const total = heard.reduce((sum, [, weight]) => sum + weight, 0);
    const before = chords.at(-1);
    if (!total && before) {
      chords.push(before); // a bar of silence
      continue;
    }
    const scored = known.map(({ degree, tones, bonus }) => {
      const root = (tonic + degree) % 12;
      const held = tones.map((tone) => (root + tone) % 12);
      const fit = heard.reduce((sum, [pitch, weight]) => sum + (held.includes(pitch) ? weight : -OUTSIDE * weight), 0);
      const home = degree === 0 && (bar === 0 || bar === last) ? AT_HOME : 0;
      return { root, tones: held, score: fit / (total || 1) + bonus + home };
    });
    const { root, tones } = scored.reduce((best, each) => (each.score > best.score ? each : best));
    chords.push({ root, tones });
  }
  return chords;
}

/** [pitch class, weight] of what sounds in a bar: its length there, doubled on its first step, by half on a beat. */
function weightsOf(notes, start, stepsPerBar, stepsPerBeat) {
  const heard = [];
  for (const note of notes) {
    const from = Math.max(note.start, start);
    const length = Math.min(note.start + note.length, start + stepsPerBar) - from;
    if (length <= 0) continue;
    const place = from - start;
    heard.push([note.pitch % 12, length * (place === 0 ? 2 : place % stepsPerBeat === 0 ? 1.5 : 1)]);
  }
  return heard;
}

/** Twos, and a three where that leaves one: [2], [3], [2, 2], [3, 2], [2, 2, 3]. */
function groupsOf(count) {
  if (count <= 3) return [count];
  if (count === 5) return [3, 2];
  const twos = new Array(Math.floor(count / 2)).fill(2);
  if (count % 2) twos[twos.length - 1] = 3;
  return twos;
}

/**
 * The pulses of a bar, in groups: [[step, …], …]. They are its beats; where eighths are counted, such as in 7/8, they
 * are twos and threes of those.
 */
export function pulsesOf(meter) {
  const { stepsPerBar, stepsPerBeat } = meterOf(meter);
  const beats = Math.max(Math.round(stepsPerBar / stepsPerBeat), 1);
  const isCounted = stepsPerBeat < 3;
  const lengths = isCounted ? groupsOf(beats).map((count) => count * stepsPerBeat) : new Array(beats).fill(stepsPerBeat);
  const starts = lengths.map((_, i) => lengths.slice(0, i).reduce((sum, each) => sum + each, 0));
  let done = 0;
  return groupsOf(starts.length).map((count) => starts.slice(done, (done += count)));
}

/** What the drums play in each bar: a Map from its steps to names of drums. */
export function drumsOf(meter) {
  const { stepsPerBar, stepsPerBeat } = meterOf(meter);
  const groups = pulsesOf(meter);
  const drums = new Map();
  const add = (step, drum) => drums.set(step, [...(drums.get(step) ?? []), drum]);
  for (const [first, ...others] of groups) {
    add(first, "kick");
    for (const step of others) add(step, others.length === 1 ? "snare" : "brush");
  }
  const eighth = stepsPerBeat % 3 === 0 ? stepsPerBeat / 3 : Math.max(stepsPerBeat / 2, 2);
  if (stepsPerBar % 2) for (const step of groups.flat()) add(step, "hat");
  else for (let step = 0; step < stepsPerBar; step += eighth) add(step, "hat");
  return drums;
}

/**
 * What the band plays to a track {notes, steps, meter, sounds}: Maps from steps to {pitch, length} and to names of
 * drums. `sounds` are those of the chords that it has, see chords.js; they may be left out.
 */
export function bandOf(track) {
  const { notes, steps, meter, sounds = [] } = track;
  const { stepsPerBar } = meterOf(meter);
  const chords = chordsOf(track);
  const inBar = drumsOf(meter);
  const [bass, drums] = [new Map(), new Map()];
  const pulses = pulsesOf(meter);
  const hits = pulses.length > 1 ? pulses.map(([first]) => first) : [...new Set([pulses[0][0], pulses[0].at(-1)])];
  for (let start = 0; start < steps; start += stepsPerBar) {
    for (const [step, names] of inBar) drums.set(start + step, names);
    const isLast = start + stepsPerBar >= steps; // comes to rest on the root
    const played = isLast ? hits.slice(0, 1) : hits;
    played.forEach((hit, i) => {
      const length = (played[i + 1] ?? stepsPerBar) - hit;
      const given = sounds.findLast(({ step }) => step <= start + hit);
      const chord = given ? givenChord(given) : chords[start / stepsPerBar];
      if (!chord) return;
      const pitch = bassPitch(chord, i % 2 === 1 && given?.step !== start + hit, noteAt(notes, start + hit));
      if (pitch !== null) bass.set(start + hit, { pitch, length: length > 2 ? length - 1 : length });
    });
  }
  return { bass, drums };
}

/** A chord that the melody has, as those that are found; null where none sounds. */
function givenChord({ root, pitches }) {
  return root === null ? null : { root, tones: pitches.map((pitch) => pitch % 12) };
}

/** The root or the fifth; the other one where it would be a semitone beside the melody; null where both would. */
function bassPitch({ root, tones }, isFifth, sung) {
  const low = LOWEST_BASS + root;
  const fifth = !tones.includes((root + 7) % 12) ? low : low + 7 < LOWEST_BASS + 12 ? low + 7 : low - 5;
  const rubs = (pitch) => sung !== null && [1, 11].includes((sung.pitch - pitch) % 12);
  return (isFifth ? [fifth, low] : [low, fifth]).find((pitch) => !rubs(pitch)) ?? null;
}
