/**
 * A synthesizer or a program that plays the melody over MIDI. All messages have the time of the audio clock, so what
 * it plays is in time with what this page plays.
 */

import { button, html, isPressed, press } from "./elements.js";
import { tell } from "./messages.js";

const [NOTE_OFF, NOTE_ON, CONTROL] = [0x80, 0x90, 0xb0];
const [POSITION, CLOCK, START, CONTINUE, STOP] = [0xf2, 0xf8, 0xfa, 0xfb, 0xfc];
const ALL_NOTES_OFF = 123;
const VELOCITY = 96;
const CLOCKS_PER_STEP = 6; // 24 a quarter note
const SOON = 0.25; // seconds: the end of a note that is nearer is sent with its beginning

export class MidiOutput {
  isAlone = false; // whether the speakers leave the melody to it
  hasClock = false;
  #isRunning = false; // whoever follows the clock
  #notes = []; // {pitch, on, off, isSent}: those that sound, or soon will

  /** `player` has the audio clock. */
  constructor(port, player) {
    Object.assign(this, { port, player });
  }

  /** Start a note at an audio time; returns how to end it. */
  start(pitch, when) {
    const note = { pitch, on: when, off: Infinity, isSent: false };
    this.#forget();
    this.#notes.push(note);
    this.#send([NOTE_ON, pitch, VELOCITY], when);
    return (at) => {
      note.off = at;
      if (at < this.#now + SOON) this.#end(note);
    };
  }

  /** The music begins at an audio time, at this 16th. */
  begin(place, when) {
    this.#isRunning = this.hasClock;
    if (!this.#isRunning) return;
    if (place) this.#send([POSITION, place & 0x7f, place >> 7], this.#now);
    this.#send([place ? CONTINUE : START], when);
  }

  /** A 16th of so many seconds. */
  tick(when, seconds) {
    const until = when + seconds + 0.001; // where sums of fractions may differ
    for (const note of this.#notes) if (!note.isSent && note.off <= until) this.#end(note);
    if (!this.#isRunning) return;
    for (let i = 0; i < CLOCKS_PER_STEP; i += 1) this.#send([CLOCK], when + (i * seconds) / CLOCKS_PER_STEP);
  }

  /** Silence, at once. */
  stop() {
    const now = this.#now;
    this.port.clear?.(); // what is on its way; not every browser can
    this.#forget();
    if (this.#isRunning) this.#send([STOP], now);
    for (const { pitch, on } of this.#notes) this.#send([NOTE_OFF, pitch, 0], Math.max(now, on + 0.001));
    this.#send([CONTROL, ALL_NOTES_OFF, 0], Math.max(now, ...this.#notes.map(({ on }) => on + 0.002)));
    this.#notes = [];
    this.#isRunning = false;
  }

  #end(note) {
    note.isSent = true;
    this.#send([NOTE_OFF, note.pitch, 0], note.off);
  }

  #forget() {
    this.#notes = this.#notes.filter(({ off, isSent }) => !isSent || off > this.#now);
  }

  get #now() {
    return this.player.context?.currentTime ?? 0;
  }

  #send(message, when) {
    if (this.port.state !== "disconnected") this.port.send(message, this.#stamp(when));
  }

  /** The page's time, in milliseconds, at which an audio time is heard. */
  #stamp(when) {
    const { context } = this.player;
    const { contextTime, performanceTime } = context?.getOutputTimestamp?.() ?? {};
    // Before the first sound has come out there is no such pair.
    if (!contextTime) return performance.now() + 1000 * (when - this.#now);
    return performanceTime + 1000 * (when - contextTime);
  }
}

/** The choice of an output, and what it gets. */
export class MidiPanel {
  #select = html("select", { id: "midi-output" });
  #clock = toggle("MIDI clock", "Send the clock, too: 24 a quarter note, start and stop");
  #here = toggle("Sound here, too", "Let the melody sound on this page, too");

  /** Asks the browser for leave; rejects if it is refused. `kept` are settings of earlier. */
  static async ask(player, kept, onchange) {
    return new MidiPanel(await navigator.requestMIDIAccess(), player, kept, onchange);
  }

  constructor(access, player, kept, onchange) {
    Object.assign(this, { access, player, onchange });
    this.wanted = kept?.port ?? "";
    press(this.#clock, kept?.clock === true);
    press(this.#here, kept?.here !== false);
    this.element = html(
      "div",
      { class: "mixer-midi" },
      html("label", { for: "midi-output" }, "MIDI output"),
      this.#select,
      this.#clock,
      this.#here,
    );
    this.#select.addEventListener("change", () => {
      this.wanted = this.#select.value;
      this.#apply();
    });
    for (const each of [this.#clock, this.#here])
      each.addEventListener("click", () => {
        press(each, !isPressed(each));
        this.#apply();
      });
    access.onstatechange = () => this.#list();
    this.#list();
    if (!this.wanted && this.names.length === 1) this.#choose(this.names[0]);
  }

  get names() {
    return this.#ports.map(({ name }) => name);
  }

  get settings() {
    return { port: this.wanted, clock: isPressed(this.#clock), here: isPressed(this.#here) };
  }

  get #ports() {
    return [...this.access.outputs.values()].filter(({ state }) => state !== "disconnected");
  }

  #choose(name) {
    this.wanted = name;
    this.#list();
    tell(`Your melody plays on ${name}, too.`);
  }

  #list() {
    this.#select.replaceChildren(new Option("None", ""), ...this.names.map((name) => new Option(name, name)));
    this.#select.value = this.names.includes(this.wanted) ? this.wanted : "";
    this.#apply();
  }

  #apply() {
    const port = this.#ports.find(({ name }) => name === this.#select.value) ?? null;
    if (port !== (this.player.midi?.port ?? null)) {
      this.player.midi?.stop();
      this.player.midi = port && new MidiOutput(port, this.player);
    }
    this.#clock.disabled = this.#here.disabled = !port;
    if (port) {
      this.player.midi.hasClock = isPressed(this.#clock);
      this.player.midi.isAlone = !isPressed(this.#here);
    }
    this.onchange();
  }
}

function toggle(text, hint) {
  return button({ text, title: hint, "aria-pressed": "false" });
}
