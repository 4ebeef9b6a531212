/** The chords of the melody: their names over the roll, the field to write them in, and those that the server finds. */

import * as api from "./api.js";
import { firstStepOf, readChords, textOf, trackOf } from "./chords.js";
import { html } from "./elements.js";
import { eventsOf, meterOf } from "./melody.js";
import { say } from "./messages.js";

const WAYS = 4; // that are found

const part = (id) => document.getElementById(id);

export class ChordLane {
  #melody = { notes: [], meter: "4/4", chords: "" };
  #ways = { of: "", texts: [], next: 0 };

  /**
   * @param picture of the roll.
   * @param key() gives the key that was chosen, or null.
   * @param onchange called with a text, and what changed, in words.
   * @param report called with what went wrong.
   */
  constructor(picture, { key, onchange, report }) {
    Object.assign(this, { picture, key, onchange, report });
    this.place = html("div", { class: "chord-lane", "aria-hidden": "true" });
    picture.board.prepend(this.place);
    const field = part("chords");
    field.addEventListener("change", () => this.read().catch(report));
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.ctrlKey || event.metaKey) return;
      event.preventDefault(); // or it would generate, too
      this.read().catch(report);
    });
    part("find-chords").addEventListener("click", () => this.#find());
  }

  /** Follow the melody. */
  show({ notes, meter, chords }) {
    if (chords !== this.#melody.chords) this.#fill(chords);
    this.#melody = { notes, meter, chords };
    part("find-chords").disabled = notes.length === 0;
    const track = trackOf(chords, meter, this.picture.steps, this.#first);
    this.place.replaceChildren(
      ...track.map(([step, name], place) => {
        const length = (track[place + 1]?.[0] ?? this.picture.steps) - step;
        const label = html("span", { "data-step": step }, name);
        label.style.setProperty("--step", step);
        label.style.setProperty("--length", length);
        return label;
      }),
    );
  }

  /** The part of a request that is about chords. */
  get wishes() {
    return wishesOf(this.#melody.chords);
  }

  get #first() {
    return firstStepOf(eventsOf(this.#melody.notes), this.#melody.meter);
  }

  /** Take what is in the field; an ApiError says what is wrong with it. */
  async read() {
    const field = part("chords");
    const { value } = field;
    if (value === this.#melody.chords) return;
    try {
      const text = await readChords(value, this.#melody.meter);
      if (field.value !== value) return; // it is written anew
      this.#fill(text);
      if (text !== this.#melody.chords) this.onchange(text, text ? "these chords" : "taking out the chords");
    } catch (error) {
      field.setAttribute("aria-invalid", "true");
      throw error;
    }
  }

  #fill(text) {
    part("chords").value = text;
    part("chords").removeAttribute("aria-invalid");
  }

  /** Chords for the melody; another press takes others. */
  async #find() {
    const { notes, meter } = this.#melody;
    const asked = { events: eventsOf(notes), meter, key: this.key(), alternatives: WAYS };
    const of = JSON.stringify(asked);
    try {
      if (of !== this.#ways.of) {
        const found = await api.harmonize(asked);
        const { stepsPerBar } = meterOf(meter);
        const end = Math.ceil(asked.events.length / stepsPerBar) * stepsPerBar;
        const texts = found.map((way) => textOf(way, meter, end, firstStepOf(asked.events, meter)));
        this.#ways = { of, texts, next: 0 };
      }
      const { texts, next } = this.#ways;
      this.#ways.next = (next + 1) % texts.length;
      this.onchange(texts[next], `chords ${next + 1} of ${texts.length} that were found`);
      say(texts[next]);
    } catch (error) {
      this.report(error);
    }
  }
}

/** What is asked for with the chords of a text. */
export function wishesOf(text) {
  return text ? { chords: text, chord_strength: part("chord-strength").valueAsNumber } : {};
}
