/**
 * Plays one melody at a time. Notes are given to the audio clock a little ahead, so a busy page never makes them
 * late; the cursor follows the same clock, one look at every frame of the screen.
 */

import { soundsOf } from "./chords.js";
import { meterOf, secondsPerStep } from "./melody.js";
import { RECORDED, VOICES, room, tick } from "./voices.js";

const LOOK_EVERY = 25; // milliseconds between two looks at the clock
const AHEAD = 0.12; // seconds of notes already given to the clock
const AHEAD_HIDDEN = 1.5; // a page in the background is woken once a second only
const FADE = 0.015;
const GLIDE = 0.02; // the time constant of a change of volume

const FIRST_VOICE = Object.keys(VOICES)[0];

/** What has a volume of its own, from 0 to 1. */
export const VOLUMES = { melody: 1, band: 0.7, chords: 0.7, clicks: 1 };

export class Player {
  metronome = false;
  loop = false; // whether to begin again at the end; without it, the round that is being played is the last
  band = null; // who plays along: see band.js
  accompaniment = null; // who plays the chords: see accompaniment.js
  midi = null; // where the notes go beside the speakers: see midi-output.js
  context = null;
  #volumes = { ...VOLUMES };
  #channels = new Map(); // what has a volume -> its gain
  #qpm = 120;
  #voice = FIRST_VOICE;
  #sound = VOICES[FIRST_VOICE]; // of the voice, or of the first one until a recording is there
  #loading = null;
  #room = null;
  #out = null;
  #session = null; // of what is playing now
  #timer = null;
  #held = new Map(); // live notes: pitch -> how to end it, or null until the audio clock runs

  get qpm() {
    return this.#qpm;
  }

  /** A new tempo counts from where the music is. */
  set qpm(qpm) {
    const session = this.#session;
    if (session) {
      const now = this.context.currentTime;
      session.anchorStep = this.#stepAt(now);
      session.anchorTime = now;
    }
    this.#qpm = qpm;
  }

  get voice() {
    return this.#voice;
  }

  /** Choose a voice by its name; rejects if it is a recording that cannot be had, and then the first one sounds. */
  choose(name) {
    this.#voice = name;
    this.#sound = VOICES[name] ?? VOICES[FIRST_VOICE];
    this.#loading = VOICES[name] ? null : this.#load(name);
    return this.#loading;
  }

  async #load(name) {
    const { load } = await import("./recorded.js");
    const sound = await load(RECORDED[name]);
    if (this.#voice === name) this.#sound = sound;
  }

  get volumes() {
    return { ...this.#volumes };
  }

  setVolume(name, volume) {
    this.#volumes[name] = volume;
    this.#channels.get(name)?.gain.setTargetAtTime(loudness(volume), this.context.currentTime, GLIDE);
  }

  /** Whether this is what is playing. */
  isPlaying(track) {
    return this.#session !== null && this.#session.track === track;
  }

  /** The audio clock, in seconds; browsers start it only after a click or a key. */
  async wake() {
    if (!this.context) {
      this.context = new AudioContext({ latencyHint: "interactive" });
      this.#out = this.context.createDynamicsCompressor();
      this.#out.connect(this.context.destination);
      this.#room = room(this.context);
      this.#room.connect(this.#out);
      for (const [name, volume] of Object.entries(this.#volumes)) this.#channels.set(name, this.#channel(volume));
    }
    if (this.context.state !== "running") await this.context.resume();
    await this.#loading?.catch(() => {}); // who chose it was told
    return this.context.currentTime;
  }

  /** A gain that leads to the speakers, and a little of it through a room. */
  #channel(volume) {
    const channel = this.context.createGain();
    const wet = this.context.createGain();
    channel.gain.value = loudness(volume);
    wet.gain.value = 0.16;
    channel.connect(this.#out);
    channel.connect(wet);
    wet.connect(this.#room);
    return channel;
  }

  /** Where one playing of a channel goes. */
  #bus(name) {
    const bus = this.context.createGain();
    bus.connect(this.#channels.get(name));
    return bus;
  }

  /** Start a note of the melody, here and on the MIDI output; returns how to end it. */
  #start(bus, pitch, when) {
    const ends = [];
    if (!this.midi?.isAlone) ends.push(this.#sound(this.context, bus, pitch, when));
    if (this.midi) ends.push(this.midi.start(pitch, when));
    return (at) => ends.forEach((end) => end(at));
  }

  /**
   * Play a track {notes, steps, meter, chords, span(), onstep(step), onstop()} from a step on. `span`, if there is one,
   * gives the steps [first, end] that a loop goes round, or null for all. `onstep` gets the place as a fraction, at
   * every frame. `chords`, if it has some, are a track of chords; without the server it plays without them. `begin` is the audio time of this step; by default it is now.
   */
  async play(track, from = 0, begin = null) {
    this.stop();
    await this.wake();
    if (track.chords?.length) track.sounds ??= await soundsOf(track.chords).catch(() => []);
    const now = this.context.currentTime;
    this.stop(); // what another press began while the clock was starting
    const starts = new Map(track.notes.map((note) => [note.start, note]));
    const session = {
      track,
      starts,
      buses: Object.fromEntries(Object.keys(VOLUMES).map((name) => [name, this.#bus(name)])),
      anchorTime: begin ?? now + 0.06,
      anchorStep: from,
      next: Math.ceil(from), // the first step not yet given to the clock; it counts on through loops
      first: 0, // of the round: its first step, how many it has, and the count at which it began
      length: track.steps,
      offset: 0,
      end: Infinity,
    };
    this.#session = session;
    this.#keepRound();
    this.midi?.begin(this.#placeOf(session.next), this.#timeOf(session.next));
    this.#schedule();
    this.#timer = setInterval(() => this.#schedule(), LOOK_EVERY);
    const follow = () => {
      if (this.#session !== session) return;
      const step = this.#stepAt(this.context.currentTime - (this.context.outputLatency || 0));
      if (step >= session.end) {
        this.stop();
        return;
      }
      track.onstep?.(this.#placeOf(Math.max(step, from)));
      requestAnimationFrame(follow);
    };
    requestAnimationFrame(follow);
  }

  stop() {
    const session = this.#session;
    if (!session) return;
    clearInterval(this.#timer);
    this.#session = null;
    const now = this.context.currentTime;
    for (const bus of Object.values(session.buses)) {
      bus.gain.setTargetAtTime(0, now, FADE / 3);
      setTimeout(() => bus.disconnect(), 200);
    }
    this.midi?.stop();
    session.track.onstop?.();
  }

  #stepAt(time) {
    const { anchorStep, anchorTime } = this.#session;
    return anchorStep + (time - anchorTime) / secondsPerStep(this.#qpm);
  }

  #timeOf(step) {
    const { anchorStep, anchorTime } = this.#session;
    return anchorTime + (step - anchorStep) * secondsPerStep(this.#qpm);
  }

  /** Where in the track a counted step is. */
  #placeOf(step) {
    const { first, length, offset } = this.#session;
    return first + ((((step - offset) % length) + length) % length);
  }

  /** Follow the loop: who plays a place that is outside of it goes to its beginning. */
  #keepRound() {
    const session = this.#session;
    const { track, next } = session;
    const [first, end] = (this.loop && track.span?.()) || [0, track.steps];
    if (first !== session.first || end - first !== session.length) {
      const place = this.#placeOf(next);
      session.offset = next - (first <= place && place < end ? place - first : 0);
      [session.first, session.length] = [first, end - first];
    }
    const rounds = Math.max(Math.ceil((next - session.offset) / session.length), 1);
    session.end = this.loop ? Infinity : session.offset + rounds * session.length;
  }

  #schedule() {
    this.#keepRound();
    const session = this.#session;
    const { track, buses } = session;
    const { stepsPerBar, stepsPerBeat } = meterOf(track.meter);
    const horizon = this.context.currentTime + (document.hidden ? AHEAD_HIDDEN : AHEAD);
    const step = secondsPerStep(this.#qpm);
    for (; ; session.next += 1) {
      const when = this.#timeOf(session.next);
      if (when > horizon || session.next >= session.end) return;
      const place = this.#placeOf(session.next);
      const at = Math.max(when, this.context.currentTime);
      const note = session.starts.get(place);
      if (note) {
        const length = Math.min(note.length, session.first + session.length - place);
        this.#start(buses.melody, note.pitch, at)(at + length * step);
      }
      if (this.metronome && (place % stepsPerBar) % stepsPerBeat === 0) {
        tick(this.context, buses.clicks, at, place % stepsPerBar === 0);
      }
      this.band?.play(this.context, buses.band, { track, place, when: at, step });
      this.accompaniment?.play(this.context, buses.chords, { track, place, when: at, step });
      this.midi?.tick(when, step);
    }
  }

  /** A bar of ticks before a recording; resolves to the audio time of the bar that follows. */
  async countIn(meter) {
    const { stepsPerBar, stepsPerBeat } = meterOf(meter);
    const begin = (await this.wake()) + 0.1;
    const step = secondsPerStep(this.#qpm);
    const clicks = this.#channels.get("clicks");
    for (let at = 0; at < stepsPerBar; at += stepsPerBeat) tick(this.context, clicks, begin + at * step, at === 0);
    return begin + stepsPerBar * step;
  }

  /** Start a note by hand. */
  async press(pitch) {
    this.release(pitch);
    this.#held.set(pitch, null);
    const now = await this.wake();
    if (!this.#held.has(pitch)) return this.hint(pitch); // let go meanwhile
    this.#held.set(pitch, this.#start(this.#channels.get("melody"), pitch, now));
  }

  release(pitch) {
    this.#held.get(pitch)?.(this.context.currentTime);
    this.#held.delete(pitch);
  }

  /** Let a pitch be heard for a moment, as when it is drawn. */
  async hint(pitch) {
    const now = await this.wake();
    this.#start(this.#channels.get("melody"), pitch, now)(now + 0.18);
  }
}

/** The gain of a volume: the ear hears steps of a slider as even if the gain is their square. */
function loudness(volume) {
  return volume ** 2;
}
