/** One melody that was made: its roll, why it is so, and what can be done with it. */

import { chordTextOf } from "./chords.js";
import { button, html, icon, press } from "./elements.js";
import { letDrag } from "./files.js";
import { barsOf, beginOf, firstBarOf, meterOf, notesOf } from "./melody.js";
import { SmallRoll } from "./small-roll.js";
import { StaffToggle } from "./staff-toggle.js";
import { differences, settingsOf, sourceOf } from "./variation.js";
import { WhyPanel, explainAloud } from "./why.js";

export class Card {
  /**
   * @param variation see variation.js.
   * @param name its heading.
   * @param range of the pitches that are shown.
   * @param details more about it, for the heading's line.
   * @param actions what its buttons do: play(card, from), playOriginal(card, from), use, again, midi, wav, share,
   *   saveScore(variation, format, title), and where they make sense star, proceed, change(variation, step),
   *   choose(variation, step, event), remove; `link(variation)` gives a MIDI file's address for dragging it out,
   *   `score(variation)` what is written down.
   */
  constructor(variation, { name, range, details = "", isStarred = false, actions }) {
    Object.assign(this, { variation, name, actions });
    const change = actions.change ? (step) => step > 0 && actions.change(variation, step) : null;
    const choose = (step, event) => {
      if (event === variation.events[step]) this.hear(step);
      else actions.choose(variation, step, event);
    };
    this.why = actions.change ? new WhyPanel(variation, change, choose) : null;
    this.roll = new SmallRoll(variation, {
      name,
      range,
      describe: (step) => explainAloud(variation, step),
      onlook: (step) => this.why?.show(variation, step),
      onchange: change,
      oncandidate: (place) => this.why?.press(place) ?? false,
      onplay: (step) => actions.play(this, step),
    });
    this.player = button({
      icon: "play",
      label: `Play ${name}`,
      className: "is-round",
      onclick: () => actions.play(this, this.roll.step ?? beginOf(events, meter)),
    });
    const heading = html("h3", {}, name);
    const { events, meter, ends } = variation;
    let link = null;
    const head = html(
      "div",
      { class: "card-head" },
      this.player,
      html("div", { class: "card-name" }, heading, html("p", { title: settingsOf(variation) }, details)),
      ...this.#corner(isStarred),
    );
    this.staff = new StaffToggle({
      name,
      score: () => actions.score(variation),
      onplay: (step) => {
        actions.stop();
        actions.play(this, step);
      },
      save: (format) => actions.saveScore(variation, format, name),
      report: actions.report,
    });
    this.element = html("article", { class: "card", "aria-label": name }, head, this.roll.element);
    if (this.why) this.element.append(this.why.element);
    this.element.append(this.#tools(), this.staff.place);
    letDrag(head, () => (link ??= actions.link(variation)), { events, meter, ends, text: chordTextOf(variation) });
    const { stepsPerBar } = meterOf(variation.meter);
    const track = (events, onstop) => ({
      chords: variation.chords,
      notes: notesOf(events),
      steps: barsOf(events.length, stepsPerBar) * stepsPerBar, // a loop begins again on a bar line
      meter: variation.meter,
      onstep: (step) => this.#showPlayhead(step),
      onstop,
    });
    this.track = track(variation.events, () => this.showPlaying(false));
    this.original = variation.original && track(variation.original, () => this.showOriginalPlaying(false));
  }

  #showPlayhead(step) {
    this.roll.showPlayhead(step);
    this.staff.showPlayhead(step);
  }

  /** It goes from the page. */
  remove() {
    this.roll.remove();
    this.staff.remove();
  }

  /** Play from half a bar before a step, or from the bar line if that is nearer. */
  hear(step) {
    const { stepsPerBar: bar } = this.variation;
    this.actions.play(this, Math.max(Math.floor(step / bar) * bar, step - bar / 2));
  }

  showPlaying(isPlaying) {
    this.element.classList.toggle("is-playing", isPlaying);
    this.player.replaceChildren(icon(isPlaying ? "stop" : "play"));
    const label = `${isPlaying ? "Stop" : "Play"} ${this.name}`;
    this.player.setAttribute("aria-label", label);
    this.player.title = label;
    if (!isPlaying) this.#showPlayhead(null);
  }

  showOriginalPlaying(isPlaying) {
    press(this.before, isPlaying);
    if (!isPlaying) this.roll.showPlayhead(null);
  }

  showStarred(isStarred) {
    if (this.star) press(this.star, isStarred);
  }

  #corner(isStarred) {
    const { actions, variation, name } = this;
    const grip = html("span", { class: "grip", title: "Drag onto your melody, or out of the browser" }, icon("grip"));
    const share = button({
      icon: "link",
      label: `Copy link: ${name}`,
      title: "Copy a link that holds this melody",
      className: "is-quiet",
      onclick: () => actions.share(variation),
    });
    if (actions.remove) {
      return [share, grip, button({ icon: "clear", label: `Remove ${name}`, onclick: () => actions.remove(variation) })];
    }
    this.star = button({
      icon: "star",
      label: `Keep ${name} as a favorite`,
      className: "is-star",
      "aria-pressed": String(isStarred),
      onclick: () => actions.star(variation),
    });
    return [share, grip, this.star];
  }

  #tools() {
    const { actions, variation, name } = this;
    const tool = (picture, text, action, hint) =>
      button({
        icon: picture,
        text,
        "aria-label": `${text}: ${name}`,
        title: hint,
        className: "is-quiet",
        onclick: () => action(variation),
      });
    const { gone, fresh } = differences(variation);
    this.before = tool("play", "Original", () => actions.playOriginal(this), "Hear what was there before; " +
      `of its notes ${gone.length} are gone, and ${fresh} are new`);
    press(this.before, false);
    return html(
      "div",
      { class: "card-tools" },
      ...(variation.original ? [this.before] : []),
      tool("up", "Use as melody", actions.use, "Put it on the roll above"),
      ...(actions.proceed ? [tool("more", "Continue", actions.proceed, "Add as many bars again as chosen above")] : []),
      ...(variation.made ? [tool("redo", "Again", actions.again, `Make the same again: ${settingsOf(variation)}`)] : []),
      this.staff.button,
      tool("down", "MIDI", actions.midi, "Download it as a MIDI file"),
      tool("down", "WAV", actions.wav, "Download its sound"),
    );
  }
}

/** How long a melody is, what made it and how surprising the model finds it. */
export function detailsOf(variation) {
  const { surprise } = variation;
  const bits = surprise == null ? "" : `surprise ${surprise.toFixed(2)} bits`;
  return [lengthOf(variation), sourceOf(variation), bits].filter(Boolean).join(" · ");
}

/** "10 bars"; of a melody that comes to an end, in which bar it does. */
function lengthOf(variation) {
  const { events, meter } = variation;
  const firstBar = firstBarOf(events, meter);
  const bars = events.length / meterOf(meter).stepsPerBar - 1 + firstBar;
  if (variation.ends) return `Ends in bar ${Math.ceil(bars)}`;
  const whole = Math.round(10 * bars) / 10;
  const length = whole === 1 ? "1 bar" : `${whole} bars`;
  return firstBar ? length : `${length} after an upbeat`;
}
