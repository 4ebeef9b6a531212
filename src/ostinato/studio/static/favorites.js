/** Melodies that were starred; they stay in this browser, the same in all its tabs. */

import { Card, detailsOf } from "./card.js";
import { isMeter, meterOf } from "./melody.js";
import { isFavorite } from "./session.js";
import { commonRange } from "./small-roll.js";
import { addFavorites, deleteFavorite, forgetOld, listenForFavorites, loadFavorites, newId, recallOld } from "./storage.js";

const OLD_KEY = "ostinato.favourites.1";

export class Favorites {
  melodies = [];
  #cards = new Map(); // id -> card

  /** `actions` are those of a card; `onchange()` is called after every change, of another tab's too. */
  constructor(actions, onchange) {
    Object.assign(this, { actions, onchange });
    this.place = document.getElementById("favorites");
    listenForFavorites(() => this.load());
  }

  /** Show what the browser has. */
  async load() {
    await this.#takeOver();
    const found = await loadFavorites();
    if (found) this.#show(found.filter(isFavorite).sort((one, other) => one.kept - other.kept));
    else this.#show(this.melodies);
  }

  /** The favorite that has these notes, if there is one. */
  like({ events, meter }) {
    const wanted = String(events);
    return this.melodies.find((melody) => melody.meter === meter && String(melody.events) === wanted) ?? null;
  }

  has(variation) {
    return this.like(variation) !== null;
  }

  /** Whether the browser will still have it tomorrow. */
  add(variation, { qpm }) {
    return this.#keep((all) => {
      const numbers = all.map((melody) => Number(String(melody.name).split(" ").at(-1)) || 0);
      const name = `Favorite ${1 + Math.max(0, ...numbers)}`;
      return [{ ...variation, id: newId(), kept: Date.now(), name, qpm }];
    });
  }

  /** The same of some that were favorites before. */
  addAgain(favorites) {
    return this.#keep((all) => favorites.filter(({ id }) => !all.some((each) => each.id === id)));
  }

  /** It goes from the page when it is gone from the browser, so that a reload does not bring it back. */
  async remove({ id }) {
    const deleted = await deleteFavorite(id);
    this.#show(this.melodies.filter((melody) => melody.id !== id));
    return deleted;
  }

  async #keep(make) {
    const added = await addFavorites(make);
    if (added) await this.load();
    else this.#show([...this.melodies, ...make(this.melodies)]);
    return added !== null;
  }

  #show(melodies) {
    const before = this.#cards;
    this.melodies = melodies;
    this.#cards = new Map(melodies.map((melody) => [melody.id, before.get(melody.id) ?? this.#card(melody)]));
    for (const [id, card] of before) if (!this.#cards.has(id)) card.remove();
    const elements = [...this.#cards.values()].map((card) => card.element);
    if (elements.length !== this.place.children.length || elements.some((each, i) => each !== this.place.children[i]))
      this.place.replaceChildren(...elements);
    for (const card of this.#cards.values()) card.roll.draw();
    document.getElementById("favorites-empty").hidden = melodies.length > 0;
    this.onchange();
  }

  #card(melody) {
    return new Card(melody, {
      name: melody.name,
      range: commonRange([melody]),
      details: detailsOf(melody),
      actions: this.actions,
    });
  }

  /** What an earlier studio kept as one list. */
  async #takeOver() {
    const old = recallOld(OLD_KEY);
    if (!Array.isArray(old)) return;
    const isOld = (each) => typeof each?.name === "string" && isMeter(each.meter) && Array.isArray(each.events);
    const favorites = old.filter(isOld).map(({ name, events, meter, ends, given, primerSteps = 0, qpm, model, seed }, i) => ({
      ...{ name, events, meter, ends: Boolean(ends), given: given ?? [[0, primerSteps]], qpm: qpm || 120 },
      ...{ id: `old-${i}`, kept: i, stepsPerBar: meterOf(meter).stepsPerBar, explained: [], made: null },
      source: `${model} · seed ${seed}`,
    }));
    if (await addFavorites(() => favorites.filter(isFavorite))) forgetOld(OLD_KEY);
  }
}
