/**
 * The page's instruments, made of oscillators alone. Each starts a note and returns how to end it; loudness always
 * moves along a curve, never in a jump, so nothing clicks.
 */

export function frequencyOf(pitch) {
  return 440 * 2 ** ((pitch - 69) / 12);
}

/** A gain that rises to `peak` in `attack` seconds and falls to `sustain`; `decay` and `release` are time constants. */
export function envelope(context, out, when, { peak, attack, decay, sustain, release }) {
  const gain = context.createGain();
  gain.gain.setValueAtTime(0, when);
  gain.gain.linearRampToValueAtTime(peak, when + attack);
  gain.gain.setTargetAtTime(sustain, when + attack, decay);
  gain.connect(out);
  const end = (at) => {
    const from = Math.max(at, when + attack);
    gain.gain.setTargetAtTime(0, from, release);
    return from + 8 * release; // silent by then
  };
  return { gain, end };
}

export function oscillator(context, type, frequency, when, out) {
  const source = context.createOscillator();
  source.type = type;
  source.frequency.setValueAtTime(frequency, when);
  source.connect(out);
  source.start(when);
  return source;
}

/** A soft note from `when` to `until`: a triangle, dark above `cutoff` Hz. */
export function softNote(context, out, pitch, when, until, { cutoff, ...loudness }) {
  const { gain, end } = envelope(context, out, when, loudness);
  const filter = context.createBiquadFilter();
  filter.type = "lowpass";
  filter.frequency.value = cutoff;
  filter.connect(gain);
  oscillator(context, "triangle", frequencyOf(pitch), when, filter).stop(end(until));
}

/** Two sines, one bending the other: keys and bells, by their ratio. */
function bent(context, out, pitch, when, { ratio, depth, fade, ...loudness }) {
  const frequency = frequencyOf(pitch);
  const { gain, end } = envelope(context, out, when, loudness);
  const carrier = oscillator(context, "sine", frequency, when, gain);
  const bend = context.createGain();
  bend.gain.setValueAtTime(depth * frequency, when);
  bend.gain.setTargetAtTime(depth * frequency * 0.1, when, fade);
  bend.connect(carrier.frequency);
  const modulator = oscillator(context, "sine", frequency * ratio, when, bend);
  return (at) => {
    const silent = end(at);
    carrier.stop(silent);
    modulator.stop(silent);
  };
}

function softKeys(context, out, pitch, when) {
  return bent(context, out, pitch, when, {
    ratio: 2,
    depth: 1.1,
    fade: 0.25,
    peak: 0.34,
    attack: 0.006,
    decay: 0.9,
    sustain: 0.05,
    release: 0.07,
  });
}

function musicBox(context, out, pitch, when) {
  return bent(context, out, pitch + 12, when, {
    ratio: 3.5,
    depth: 1.6,
    fade: 0.12,
    peak: 0.2,
    attack: 0.003,
    decay: 0.5,
    sustain: 0.004,
    release: 0.25,
  });
}

/** Two saws a little apart behind a filter that closes, as a plucked string loses its overtones. */
function pluckedString(context, out, pitch, when) {
  const frequency = frequencyOf(pitch);
  const { gain, end } = envelope(context, out, when, {
    peak: 0.3,
    attack: 0.004,
    decay: 0.55,
    sustain: 0.012,
    release: 0.06,
  });
  const filter = context.createBiquadFilter();
  filter.type = "lowpass";
  filter.Q.value = 0.8;
  filter.frequency.setValueAtTime(Math.min(9 * frequency, 11_000), when);
  filter.frequency.setTargetAtTime(1.6 * frequency, when, 0.18);
  filter.connect(gain);
  const strings = [0.999, 1.001].map((detune) => oscillator(context, "sawtooth", frequency * detune, when, filter));
  return (at) => {
    const silent = end(at);
    strings.forEach((string) => string.stop(silent));
  };
}

/** A triangle and its octave, with a vibrato that comes in late. */
function flute(context, out, pitch, when) {
  const frequency = frequencyOf(pitch);
  const { gain, end } = envelope(context, out, when, {
    peak: 0.3,
    attack: 0.045,
    decay: 0.3,
    sustain: 0.24,
    release: 0.06,
  });
  const tone = oscillator(context, "triangle", frequency, when, gain);
  const octave = context.createGain();
  octave.gain.value = 0.18;
  octave.connect(gain);
  const overtone = oscillator(context, "sine", 2 * frequency, when, octave);
  const depth = context.createGain();
  depth.gain.setValueAtTime(0, when);
  depth.gain.setTargetAtTime(frequency * 0.004, when + 0.25, 0.3);
  depth.connect(tone.frequency);
  const vibrato = oscillator(context, "sine", 5.1, when, depth);
  return (at) => {
    const silent = end(at);
    [tone, overtone, vibrato].forEach((source) => source.stop(silent));
  };
}

/** The name in the menu and the instrument behind it: (context, out, pitch, when) => end(when). */
export const VOICES = {
  "Soft keys": softKeys,
  "Plucked string": pluckedString,
  Flute: flute,
  "Music box": musicBox,
};

const PROGRAMS = { "Soft keys": 4, "Plucked string": 25, Flute: 73, "Music box": 10 };

/** The names of the recorded instruments in the menu, and what the server calls them: see recorded.js. */
export const RECORDED = {
  Piano: "piano",
  Guitar: "guitar",
  Violin: "violin",
  "Concert flute": "flute",
  Clarinet: "clarinet",
};

/** What sound files are asked to sound like: the same recording, or the General MIDI program that is nearest. */
export function instrumentOf(name) {
  return Object.hasOwn(RECORDED, name) ? { instrument: RECORDED[name] } : { program: PROGRAMS[name] };
}

export function isVoice(name) {
  return Object.hasOwn(VOICES, name) || Object.hasOwn(RECORDED, name);
}

/** One tick of the metronome, higher on a bar's first beat. */
export function tick(context, out, when, isBar) {
  const { gain, end } = envelope(context, out, when, {
    peak: isBar ? 0.22 : 0.13,
    attack: 0.001,
    decay: 0.02,
    sustain: 0,
    release: 0.012,
  });
  oscillator(context, "sine", isBar ? 1800 : 1200, when, gain).stop(end(when + 0.03));
}

/** A small room: noise that dies away within a second or so. */
export function room(context) {
  const seconds = 1.3;
  // The same on both sides: two noises would throw back each pitch from another one, and a melody would wander.
  const buffer = context.createBuffer(1, Math.round(seconds * context.sampleRate), context.sampleRate);
  const samples = buffer.getChannelData(0);
  for (let i = 0; i < samples.length; i += 1) {
    samples[i] = (2 * Math.random() - 1) * Math.exp((-5.5 * i) / samples.length) * (1 - i / samples.length);
  }
  const convolver = context.createConvolver();
  convolver.buffer = buffer;
  return convolver;
}
