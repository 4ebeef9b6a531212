/** How the chords of a melody sound: held softly, and struck again in each bar. */

import { meterOf } from "./melody.js";
import { softNote } from "./voices.js";

const HELD = { cutoff: 1400, peak: 0.07, attack: 0.03, decay: 0.6, sustain: 0.035, release: 0.06 };
const strokes = new WeakMap(); // sounds -> what is struck at which step

/** For the player: plays what is due at a place of a track; `step` is the length of a 16th in seconds. */
export const ACCOMPANIMENT = {
  play(context, out, { track, place, when, step }) {
    if (!track.sounds?.length) return;
    if (!strokes.has(track.sounds)) strokes.set(track.sounds, strokesOf(track));
    const struck = strokes.get(track.sounds).get(place);
    for (const pitch of struck?.pitches ?? []) softNote(context, out, pitch, when, when + struck.length * step, HELD);
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
