/** What can be done with the melody on the roll, beside writing on it: see it as notation, save it, share it. */

import { button, html, icon } from "./elements.js";
import { letDrag } from "./files.js";
import { StaffToggle } from "./staff-toggle.js";

const NAME = "your melody";

export class MelodyTools {
  #tools = [];

  /**
   * @param place where the buttons go, in a row of more; the notation comes after the row.
   * @param melody() gives {events, meter, ends, chords, name, qpm, key}; there are no events where nothing is written.
   * @param actions midi, wav, share, link, score and saveScore: see main.js.
   * @param onplay called with a step to be heard from.
   * @param report called with what went wrong.
   */
  constructor(place, { melody, actions, onplay, report }) {
    this.staff = new StaffToggle({
      name: "Your melody",
      score: () => {
        const { events, ...rest } = melody();
        return actions.score({ ...rest, events: events.length ? events : [-2] }); // a bar of silence
      },
      onplay,
      save: (format) => actions.saveScore(melody(), format),
      report,
    });
    const tool = (picture, text, action, title) =>
      button({
        icon: picture,
        text,
        title,
        "aria-label": `${text}: ${NAME}`,
        className: "is-quiet",
        onclick: () => action(melody()),
      });
    this.#tools = [
      tool("down", "MIDI", actions.midi, "Download it as a MIDI file"),
      tool("down", "WAV", actions.wav, "Download its sound"),
      tool("link", "Copy link", actions.share, "Copy a link that holds this melody"),
    ];
    const grip = html("span", { class: "grip", title: "Drag it out of the browser, as a MIDI file" }, icon("grip"));
    letDrag(grip, () => actions.link(melody()));
    place.append(this.staff.button, ...this.#tools, grip);
    place.parentElement.after(this.staff.place);
  }

  /** The melody has changed; it may be empty now. */
  show({ notes }) {
    for (const tool of this.#tools) tool.disabled = notes.length === 0;
    this.staff.refresh();
  }
}
