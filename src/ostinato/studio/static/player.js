/**
 * Plays one melody at a time. Notes are given to the audio clock a little ahead, so a busy page never makes them
 * late; the cursor follows the same clock, one look at every frame of the screen.
 */

import { meterOf, secondsPerStep } from "./melody.js";
import { VOICES, room, tick } from "./voices.js";

const LOOK_EVERY = 25; // milliseconds between two looks at the clock
const AHEAD = 0.12; // seconds of notes already given to the clock
const AHEAD_HIDDEN = 1.5; // a page in the background is woken once a second only
const FADE = 0.015;

export class Player {
  voice = Object.keys(VOICES)[0];
  metronome = false;
  context = null;
  #qpm = 120;
  #loop = false;
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

  get loop() {
    return this.#loop;
  }

  /** Whether to begin again at the end; without it, the round that is being played is the last. */
  set loop(loop) {
    this.#loop = loop;
    const session = this.#session;
    if (session) session.end = this.#lastStep(session.track, this.#stepAt(this.context.currentTime));
  }

  #lastStep(track, step) {
    return this.#loop ? Infinity : Math.max(Math.ceil(step / track.steps), 1) * track.steps;
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
    }
    if (this.context.state !== "running") await this.context.resume();
    return this.context.currentTime;
  }

  /** Where the notes of one playing go: the speakers, and a little of them through a room. */
  #bus() {
    const bus = this.context.createGain();
    const wet = this.context.createGain();
    wet.gain.value = 0.16;
    bus.connect(this.#out);
    bus.connect(wet);
    wet.connect(this.#room);
    return bus;
  }

  /**
   * Play a track {notes, steps, meter, onstep(step), onstop()} from a step on. `onstep` gets the place as a
   * fraction, at every frame. `begin` is the audio time of this step; by default it is now.
   */
  async play(track, from = 0, begin = null) {
    this.stop();
    const now = await this.wake();
    this.stop(); // what another press began while the clock was starting
    const starts = new Map(track.notes.map((note) => [note.start, note]));
    const session = {
      track,
      starts,
      bus: this.#bus(),
      anchorTime: begin ?? now + 0.06,
      anchorStep: from,
      end: this.#lastStep(track, from),
      next: Math.ceil(from), // the first step not yet given to the clock; it counts on through loops
    };
    this.#session = session;
    this.#schedule();
    this.#timer = setInterval(() => this.#schedule(), LOOK_EVERY);
    const follow = () => {
      if (this.#session !== session) return;
      const step = this.#stepAt(this.context.currentTime - (this.context.outputLatency || 0));
      if (step >= session.end) {
        this.stop();
        return;
      }
      track.onstep?.(Math.max(step, 0) % track.steps);
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
    session.bus.gain.setTargetAtTime(0, now, FADE / 3);
    setTimeout(() => session.bus.disconnect(), 200);
    session.track.onstop?.();
  }

  #stepAt(time) {
    const { anchorStep, anchorTime } = this.#session;
    return anchorStep + (time - anchorTime) / secondsPerStep(this.#qpm);
  }

  #schedule() {
    const session = this.#session;
    const { track } = session;
    const { stepsPerBar, stepsPerBeat } = meterOf(track.meter);
    const horizon = this.context.currentTime + (document.hidden ? AHEAD_HIDDEN : AHEAD);
    const step = secondsPerStep(this.#qpm);
    for (; ; session.next += 1) {
      const when = session.anchorTime + (session.next - session.anchorStep) * step;
      if (when > horizon || session.next >= session.end) return;
      const place = session.next % track.steps;
      const at = Math.max(when, this.context.currentTime);
      const note = session.starts.get(place);
      if (note) VOICES[this.voice](this.context, session.bus, note.pitch, at)(at + note.length * step);
      if (this.metronome && (place % stepsPerBar) % stepsPerBeat === 0) {
        tick(this.context, session.bus, at, place % stepsPerBar === 0);
      }
    }
  }

  /** A bar of ticks before a recording; resolves to the audio time of the bar that follows. */
  async countIn(meter) {
    const { stepsPerBar, stepsPerBeat } = meterOf(meter);
    const begin = (await this.wake()) + 0.1;
    const step = secondsPerStep(this.#qpm);
    for (let at = 0; at < stepsPerBar; at += stepsPerBeat) tick(this.context, this.#out, begin + at * step, at === 0);
    return begin + stepsPerBar * step;
  }

  /** Start a note by hand. */
  async press(pitch) {
    this.release(pitch);
    this.#held.set(pitch, null);
    const now = await this.wake();
    if (!this.#held.has(pitch)) return this.hint(pitch); // let go meanwhile
    this.liveBus ??= this.#bus();
    this.#held.set(pitch, VOICES[this.voice](this.context, this.liveBus, pitch, now));
  }

  release(pitch) {
    this.#held.get(pitch)?.(this.context.currentTime);
    this.#held.delete(pitch);
  }

  /** Let a pitch be heard for a moment, as when it is drawn. */
  async hint(pitch) {
    const now = await this.wake();
    this.liveBus ??= this.#bus();
    VOICES[this.voice](this.context, this.liveBus, pitch, now)(now + 0.18);
  }
}
