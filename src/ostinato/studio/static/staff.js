/** A melody as notation: to read, to follow as it plays, to print and to save. */

import * as api from "./api.js";
import { button, html } from "./elements.js";
import { Engraving, loadEngraver } from "./engraving.js";
import { printScores } from "./paper.js";

const SOON = 120; // milliseconds after a change: an edit rarely comes alone
const LOW = 55; // G3: a melody around or below it is easier to read in the bass clef, as MusicXML files have it

const opened = new Set();
printScores(opened);
document.head.append(html("link", { rel: "stylesheet", href: new URL("staff.css", import.meta.url) }));

export class StaffView {
  abc = null; // what is drawn
  #engraver = null;
  #engraving = null;
  #shown = ""; // the score that was asked for last, as JSON
  #timer = null;
  #step = null;

  /**
   * @param place where it goes.
   * @param name, score(), onplay(step), save(format), report(error): see StaffToggle.
   */
  constructor(place, { name, score, onplay, save, report }) {
    Object.assign(this, { name, score, onplay, report });
    this.playhead = html("div", { class: "staff-playhead", hidden: true });
    this.page = html("div", { class: "staff-page", onclick: (event) => this.#click(event) });
    this.sheet = html(
      "div",
      { class: "staff-sheet", tabindex: "0", role: "region", "aria-label": `${name} as notation` },
      this.page,
      this.playhead,
    );
    const tool = (icon, text, title, onclick) =>
      button({ icon, text, title, onclick, "aria-label": `${text}: ${name}`, className: "is-quiet" });
    const tools = html(
      "div",
      { class: "card-tools" },
      tool("print", "Print", "On paper, or as a PDF file", () => this.print()),
      tool("down", "ABC", "Download it as text in ABC notation", () => save("abc")),
      tool("down", "MusicXML", "Download it for a notation program", () => save("musicxml")),
    );
    place.append(html("div", { class: "staff" }, this.sheet, tools));
    this.sizes = new ResizeObserver(() => this.#engrave());
  }

  open() {
    opened.add(this);
    this.sizes.observe(this.sheet);
    this.#ask();
  }

  close() {
    opened.delete(this);
    this.sizes.disconnect();
  }

  refresh() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), SOON);
  }

  print() {
    opened.chosen = this;
    window.print();
  }

  showPlayhead(step) {
    this.#step = step;
    const place = step === null ? null : this.#engraving?.placeOf(step);
    this.playhead.hidden = !place;
    this.#engraving?.showSounding(place?.sign ?? null);
    if (!place) return;
    this.playhead.style.transform = `translate(${place.x}px, ${place.top}px)`;
    this.playhead.style.blockSize = `${place.height}px`;
    const { scrollTop, clientHeight } = this.sheet;
    const isInView = place.top >= scrollTop && place.top + place.height <= scrollTop + clientHeight;
    if (!isInView) this.sheet.scrollTop = place.top - 8;
  }

  /** The notation of the score as it is now, from the server. */
  async #ask() {
    const score = this.score();
    const wanted = JSON.stringify(score);
    if (wanted === this.#shown) return;
    this.#shown = wanted;
    try {
      const [abc, engraver] = await Promise.all([api.scoreOf(score, "abc"), loadEngraver()]);
      if (wanted !== this.#shown) return; // there is another by now
      this.#engraver = engraver;
      this.abc = await abc.text();
      this.meter = score.meter;
      const pitches = score.events.filter((event) => event >= 0);
      this.isLow = pitches.length > 0 && pitches.reduce((sum, pitch) => sum + pitch, 0) / pitches.length < LOW;
      this.#engrave(true);
    } catch (error) {
      this.#shown = "";
      this.report(error);
    }
  }

  /** Draw what the server wrote, for the width that there is. */
  #engrave(isNew = false) {
    const width = Math.floor(this.page.clientWidth);
    if (!this.abc || !width || (!isNew && width === this.#engraving?.width)) return;
    this.#engraving = this.engraveOn(this.page, width);
    this.#engraving.picture.setAttribute("aria-label", `${this.name}: ${this.#engraving.description}`);
    this.showPlayhead(this.#step);
  }

  engraveOn(place, width) {
    const { meter, isLow } = this;
    return new Engraving(this.#engraver, this.abc, { place, width, meter, isLow });
  }

  #click(event) {
    const { left, top } = this.page.getBoundingClientRect();
    const step = this.#engraving?.stepAt(event.clientX - left, event.clientY - top) ?? null;
    if (step !== null) this.onplay(step);
  }
}
