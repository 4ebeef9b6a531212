/** The results side by side. */

import { html, svg } from "./elements.js";
import { Card, detailsOf } from "./card.js";
import { commonRange } from "./small-roll.js";
import { KINDS, kindOf } from "./variation.js";

export class Results {
  #cards = new Map(); // variation -> its card
  #shown = null;

  constructor(actions, isStarred) {
    this.actions = actions;
    this.isStarred = isStarred;
    this.section = document.getElementById("results");
    this.place = document.getElementById("cards");
    document
      .getElementById("legend")
      .replaceChildren(...Object.entries(KINDS).map(([kind, words]) => legendItem(kind, words)));
  }

  get cards() {
    return [...this.#cards.values()];
  }

  /** Show {variations} or nothing; the cards of variations that stay are left as they are. */
  show(results) {
    if (results === this.#shown) return;
    this.#shown = results;
    this.section.hidden = !results;
    document.getElementById("invitation").hidden = Boolean(results);
    const variations = results?.variations ?? [];
    const range = commonRange(variations);
    const before = this.#cards;
    const hasOtherRange = String(range) !== this.range;
    this.range = String(range);
    this.#cards = new Map();
    variations.forEach((variation, i) => {
      const known = hasOtherRange ? null : before.get(variation);
      const name = `Variation ${i + 1}`;
      const card = known?.name === name ? known : this.#card(variation, name, range);
      this.#cards.set(variation, card);
    });
    for (const card of before.values()) if (!this.cards.includes(card)) card.remove();
    this.place.replaceChildren(...this.cards.map((card) => card.element));
    for (const card of this.cards) card.roll.draw();
    document.getElementById("download-all").hidden = variations.length < 2;
    document.getElementById("figures").textContent = "";
    const kinds = new Set(variations.flatMap((one) => one.events.map((_, step) => kindOf(one, step))));
    for (const item of document.getElementById("legend").children) item.hidden = !kinds.has(item.dataset.kind);
  }

  showStars() {
    for (const card of this.cards) card.showStarred(this.isStarred(card.variation));
  }

  #card(variation, name, range) {
    const options = {
      name,
      range,
      details: detailsOf(variation),
      isStarred: this.isStarred(variation),
      actions: this.actions,
    };
    return new Card(variation, options);
  }
}

function legendItem(kind, words) {
  const patch = svg(
    "svg",
    { class: "patch", width: 28, height: 12, "aria-hidden": "true" },
    svg("rect", { class: `note is-${kind}`, fill: `url(#fill-${kind})`, x: 0.5, y: 0.5, width: 27, height: 11, rx: 2 }),
  );
  return html("li", { "data-kind": kind }, patch, words);
}
