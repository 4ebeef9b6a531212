/** A button that shows a melody as notation under its roll. What that takes is loaded when it is first pressed. */

import { button, html, isPressed, press } from "./elements.js";

export class StaffToggle {
  #view = null;
  #playhead = null;

  /**
   * @param name of the melody, for headings and screen readers.
   * @param score() gives what is to be written: {events, meter, chords, qpm, key}, the key null for the one that fits.
   * @param onplay called with a step to be heard from.
   * @param save(format) downloads it, as "abc" or "musicxml".
   * @param report called with what went wrong.
   */
  constructor({ name, score, onplay, save, report }) {
    Object.assign(this, { name, score, onplay, save, report });
    this.button = button({
      icon: "staff",
      text: "Staff",
      "aria-label": `Staff: ${name}`,
      "aria-pressed": "false",
      title: "Show it as notation, to read, print or save",
      className: "is-quiet",
      onclick: () => this.show(!this.isShown),
    });
    this.place = html("div", { class: "staff-place", hidden: true });
  }

  get isShown() {
    return isPressed(this.button);
  }

  async show(isShown) {
    press(this.button, isShown);
    this.place.hidden = !isShown;
    if (!isShown) return this.#view?.close();
    try {
      const { StaffView } = await import("./staff.js");
      if (!this.isShown) return;
      this.#view ??= new StaffView(this.place, this);
      this.#view.open();
      this.#view.showPlayhead(this.#playhead);
    } catch (error) {
      this.report(error);
    }
  }

  /** Draw it anew if it is shown and has changed. */
  refresh() {
    if (this.isShown) this.#view?.refresh();
  }

  showPlayhead(step) {
    this.#playhead = step;
    if (this.isShown) this.#view?.showPlayhead(step);
  }

  /** It goes, with all that it holds. */
  remove() {
    this.#view?.close();
  }
}
