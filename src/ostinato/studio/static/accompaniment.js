/** How the chords of a melody sound: held softly, and struck again in each bar. */

import { meterOf } from "./melody.js";
import { envelope, frequencyOf, oscillator } from "./voices.js";

const strokes = new WeakMap(); // sounds -> what is struck at which step

/** For the player: plays what is due at a place of a track; `step` is the length of a 16th in seconds. */
export const ACCOMPANIMENT = {
  play(context, out, { track, place, when, step }) {
    if (!track.sounds?.length) return;
    if (!strokes.has(track.sounds)) strokes.set(track.sounds, strokesOf(track));
    const struck = strokes.get(track.sounds).get(place);
    for (const pitch of struck?.pitches ?? []) held(context, out, pitch, when, when + struck.length * step);
  },
};

/** A Map from steps of a track {sounds, steps, meter} to {pitches, length}. */
export function strokesOf({ sounds, steps, meter }) {
  const { stepsPerBar } = meterOf(meter);
  const struck = new Map();
  sounds.forEach(({ step, pitches }, place) => {
    const end = Math.min(sounds[place + 1]?.step ?? steps, steps);
    for (let from = step; from < end; ) {
      const until = Math.min(from - (from % stepsPerBar) + stepsPerBar, end);
      struck.set(from, { pitches, length: until - from });
      from = until;
    }
  });
  return struck;
}

function held(context, out, pitch, when, until) {
  const loudness = { peak: 0.07, attack: 0.03, decay: 0.6, sustain: 0.035, release: 0.06 };
  const { gain, end } = envelope(context, out, when, loudness);
  const filter = context.createBiquadFilter();
  filter.type = "lowpass";
  filter.frequency.value = 1400;
  filter.connect(gain);
  oscillator(context, "triangle", frequencyOf(pitch), when, filter).stop(end(until));
}
