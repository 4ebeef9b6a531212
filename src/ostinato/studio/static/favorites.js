/** Melodies that were starred; they stay in this browser. */

import { Card, lengthOf } from "./card.js";
import { isMeter } from "./melody.js";
import { commonRange } from "./small-roll.js";
import { recall, remember } from "./storage.js";

const KEY = "ostinato.favourites.1";

export class Favorites {
  #cards = [];

  constructor(actions) {
    this.actions = { ...actions, remove: (variation) => this.remove(variation) };
    this.place = document.getElementById("favorites");
    const kept = recall(KEY, []);
    this.melodies = Array.isArray(kept) ? kept.filter(isMelody) : [];
    this.onchange = () => {};
  }

  get cards() {
    return this.#cards;
  }

  has(variation) {
    return this.#indexOf(variation) >= 0;
  }

  /** Whether the browser will still have it tomorrow. */
  add(variation, { model, seed, qpm }) {
    const { events, stepsPerBar, meter, ends, given } = variation;
    const numbers = this.melodies.map((melody) => Number(melody.name.split(" ").at(-1)) || 0);
    const name = `Favorite ${1 + Math.max(0, ...numbers)}`;
    this.melodies = [...this.melodies, { name, model, seed, qpm, events, stepsPerBar, meter, ends, given }];
    return this.#changed();
  }

  remove(variation) {
    const index = this.#indexOf(variation);
    this.melodies = this.melodies.filter((_, i) => i !== index);
    return this.#changed();
  }

  show() {
    for (const card of this.#cards) card.roll.remove();
    this.#cards = this.melodies.map((melody) => {
      const details = `${lengthOf(melody)} · ${melody.model} · seed ${melody.seed}`;
      const variation = { ...melody, given: givenIn(melody), explained: [] };
      return new Card(variation, { name: melody.name, range: commonRange([melody]), details, actions: this.actions });
    });
    this.place.replaceChildren(...this.#cards.map((card) => card.element));
    for (const card of this.#cards) card.roll.draw();
    document.getElementById("favorites-empty").hidden = this.#cards.length > 0;
  }

  #changed() {
    this.show();
    this.onchange();
    return remember(KEY, this.melodies);
  }

  #indexOf({ events, meter }) {
    const wanted = String(events);
    return this.melodies.findIndex((melody) => melody.meter === meter && String(melody.events) === wanted);
  }
}

/** What of a kept melody was not made; it was once kept as how many of the first steps. */
function givenIn({ given, primerSteps = 0 }) {
  return Array.isArray(given) ? given : [[0, primerSteps]];
}

/** Another page, or an older one, may have left something else under the same key. */
function isMelody(value) {
  return (
    Array.isArray(value?.events) &&
    value.events.length > 0 &&
    value.events.every((event) => Number.isInteger(event) && event >= -2 && event <= 127) &&
    Number.isInteger(value.stepsPerBar) &&
    value.stepsPerBar > 0 &&
    isMeter(value.meter) &&
    typeof value.name === "string"
  );
}
