/** How the band sounds: a soft bass, and drums made of noise and a falling sine. */

import { bandOf } from "./band.js";
import { envelope, oscillator, softNote } from "./voices.js";

const BASS = { cutoff: 420, peak: 0.3, attack: 0.012, decay: 0.5, sustain: 0.12, release: 0.05 };
const parts = new WeakMap(); // track, or the sounds of its chords -> what the band plays to it
const noises = new WeakMap(); // context -> a second of noise

/** For the player: plays what is due at a place of a track; `step` is the length of a 16th in seconds. */
export const BAND = {
  play(context, out, { track, place, when, step }) {
    const known = track.sounds?.length ? track.sounds : track;
    if (!parts.has(known)) parts.set(known, bandOf(track));
    const { bass, drums } = parts.get(known);
    const note = bass.get(place);
    if (note) softNote(context, out, note.pitch, when, when + note.length * step, BASS);
    for (const drum of drums.get(place) ?? []) DRUMS[drum](context, out, when);
  },
};

function kick(context, out, when) {
  const loudness = { peak: 0.4, attack: 0.004, decay: 0.09, sustain: 0, release: 0.05 };
  const { gain, end } = envelope(context, out, when, loudness);
  const skin = oscillator(context, "sine", 120, when, gain);
  skin.frequency.setTargetAtTime(48, when, 0.03);
  skin.stop(end(when + 0.2));
}

/** A drum of filtered noise: (context, out, when). */
function noise({ type, frequency, peak, decay }) {
  return (context, out, when) => {
    if (!noises.has(context)) noises.set(context, noiseOf(context));
    const { gain, end } = envelope(context, out, when, { peak, attack: 0.002, decay, sustain: 0, release: 0.02 });
    const filter = context.createBiquadFilter();
    filter.type = type;
    filter.frequency.value = frequency;
    filter.Q.value = 0.7;
    filter.connect(gain);
    const source = context.createBufferSource();
    source.buffer = noises.get(context);
    source.loop = true;
    source.connect(filter);
    source.start(when, Math.random());
    source.stop(end(when + 4 * decay));
  };
}

function noiseOf(context) {
  const buffer = context.createBuffer(1, context.sampleRate, context.sampleRate);
  const samples = buffer.getChannelData(0);
  for (let i = 0; i < samples.length; i += 1) samples[i] = 2 * Math.random() - 1;
  return buffer;
}

const DRUMS = {
  kick,
  snare: noise({ type: "bandpass", frequency: 1900, peak: 0.16, decay: 0.06 }),
  brush: noise({ type: "bandpass", frequency: 3200, peak: 0.07, decay: 0.05 }),
  hat: noise({ type: "highpass", frequency: 8000, peak: 0.035, decay: 0.018 }),
};
