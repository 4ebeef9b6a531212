/** The mixer: how loud the melody, the band, the chords and the clicks are, and whether a MIDI output plays. */

import { button, html, isPressed, press } from "./elements.js";
import { complain, tell } from "./messages.js";
import { VOLUMES } from "./player.js";

const NAMES = { melody: "Melody", band: "Bass and drums", chords: "Chords", clicks: "Metronome" };

export class Mixer {
  isOpen = false;
  #sliders = {};
  #band = document.getElementById("band");
  #chords = document.getElementById("play-chords");
  #kept = null; // of the MIDI output, while it is not connected

  /** `onchange()` is called when something is to be kept that no control of the page tells of. */
  constructor(player, onchange) {
    Object.assign(this, { player, onchange });
    const place = document.getElementById("mixer");
    place.addEventListener("beforetoggle", () => {
      const { bottom } = document.getElementById("show-mixer").getBoundingClientRect();
      place.style.insetBlockStart = `${bottom + 6}px`;
    });
    place.addEventListener("toggle", ({ newState }) => (this.isOpen = newState === "open"));
    place.append(...Object.keys(VOLUMES).map((name) => this.#volume(name)));
    this.find = html("div", { class: "mixer-midi" }, button({ text: "Find MIDI outputs", onclick: () => this.#connect() }));
    if ("requestMIDIAccess" in navigator) place.append(this.find);
    this.#band.addEventListener("click", () => this.#playAlong(!isPressed(this.#band)));
    this.#chords.addEventListener("click", () => this.#playChords(!isPressed(this.#chords)));
  }

  get settings() {
    const midi = this.midi?.settings ?? this.#kept;
    return { volumes: this.player.volumes, band: isPressed(this.#band), chords: isPressed(this.#chords), midi };
  }

  /** How files play the chords, as the server names it; null if they don't. */
  get accompaniment() {
    return isPressed(this.#chords) ? "block" : null;
  }

  restore({ volumes, band, chords, midi }) {
    for (const name of Object.keys(VOLUMES)) {
      const { [name]: found } = Object(volumes);
      const volume = Number.isFinite(found) && found >= 0 && found <= 1 ? found : VOLUMES[name];
      this.#sliders[name].value = 100 * volume;
      this.player.setVolume(name, volume);
    }
    this.#playAlong(band === true);
    this.#playChords(chords === true);
    this.#kept = typeof midi?.port === "string" ? midi : null;
    if (this.#kept) this.#reconnect();
  }

  #volume(name) {
    const slider = html("input", { type: "range", id: `volume-${name}`, min: 0, max: 100, step: 1 });
    slider.value = 100 * VOLUMES[name];
    slider.addEventListener("input", () => this.player.setVolume(name, slider.valueAsNumber / 100));
    this.#sliders[name] = slider;
    return html("div", { class: "mixer-row" }, html("label", { for: slider.id }, NAMES[name]), slider);
  }

  /** The band is loaded when it plays for the first time. */
  async #playAlong(isOn) {
    press(this.#band, isOn);
    const band = isOn ? (await import("./band-sound.js")).BAND : null;
    if (isPressed(this.#band) === isOn) this.player.band = band;
  }

  /** And so is what plays the chords. */
  async #playChords(isOn) {
    press(this.#chords, isOn);
    const accompaniment = isOn ? (await import("./accompaniment.js")).ACCOMPANIMENT : null;
    if (isPressed(this.#chords) === isOn) this.player.accompaniment = accompaniment;
  }

  /** A visitor who once allowed MIDI is not asked again; another one is on a click only. */
  async #reconnect() {
    const { state } = (await navigator.permissions?.query({ name: "midi" }).catch(() => null)) ?? {};
    if (state === "granted") this.#connect();
  }

  async #connect() {
    try {
      const { MidiPanel } = await import("./midi-output.js");
      this.midi ??= await MidiPanel.ask(this.player, this.#kept, () => this.onchange());
    } catch {
      complain("The browser did not allow MIDI outputs. Allow them for this page and try again.");
      return;
    }
    this.find.replaceWith(this.midi.element);
    if (!this.midi.names.length) tell("There is no MIDI output yet; it will be listed as soon as there is one.");
  }
}
