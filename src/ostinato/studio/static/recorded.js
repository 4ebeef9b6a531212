/** Recorded instruments, a few notes each; src/ostinato/sound/recorded.py says what the files hold. */

const FOLDER = new URL("instruments/", import.meta.url);
const BLOCK = 64; // samples
const FULL_SCALE = 32_768;
const LOUDNESS = 0.85; // as the page's own voices
const ATTACK = 0.002;

/** Load an instrument; it is a voice like those of voices.js: (context, out, pitch, when) => end(when). */
export async function load(name) {
  const [described, data] = await Promise.all([
    fetched("instruments.json").then((found) => found.json()),
    fetched(`${name}.bin`).then((found) => found.arrayBuffer()),
  ]);
  const { rate, release, notes } = described[name];
  const recordings = notes.map((note) => ({ ...note, buffer: decoded(new Int8Array(data, note.start), note, rate) }));
  return (context, out, pitch, when) => play(context, out, { pitch, when, rate, release, recordings });
}

async function fetched(name) {
  const response = await fetch(new URL(name, FOLDER));
  if (!response.ok) throw new Error(`${name}: status ${response.status}`);
  return response;
}

function decoded(bytes, { frames }, rate) {
  const buffer = new AudioBuffer({ length: frames, numberOfChannels: 1, sampleRate: rate });
  const samples = buffer.getChannelData(0);
  let now = 0;
  for (let frame = 0; frame < frames; frame += 1) {
    const block = Math.floor(frame / BLOCK) * (BLOCK + 1);
    now += bytes[block + 1 + (frame % BLOCK)] << bytes[block]; // the first says how often to double
    samples[frame] = now / FULL_SCALE;
  }
  return buffer;
}

function play(context, out, { pitch, when, rate, release, recordings }) {
  const distance = (note) => Math.abs(note.pitch - pitch);
  const note = recordings.reduce((best, each) => (distance(each) < distance(best) ? each : best));
  const gain = context.createGain();
  gain.gain.setValueAtTime(0, when);
  gain.gain.linearRampToValueAtTime(LOUDNESS, when + ATTACK);
  gain.connect(out);
  const source = context.createBufferSource();
  source.buffer = note.buffer;
  source.playbackRate.value = 2 ** ((pitch - note.pitch) / 12);
  source.loop = true;
  [source.loopStart, source.loopEnd] = note.loop.map((frame) => frame / rate);
  if (note.decay) {
    const begin = when + source.loopStart / source.playbackRate.value;
    gain.gain.setTargetAtTime(0, begin, 1 / (note.decay * source.playbackRate.value));
  }
  source.connect(gain);
  source.start(when);
  return (at) => {
    const from = Math.max(at, when + 2 * ATTACK);
    gain.gain.cancelScheduledValues(from); // a decay that has not begun
    gain.gain.setTargetAtTime(0, from, release);
    source.stop(from + 8 * release);
  };
}
