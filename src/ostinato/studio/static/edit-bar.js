/** The row under the roll: selecting, snapping and zooming; what can be done with selected notes; key and range. */

import { html, isPressed, press } from "./elements.js";
import { estimatedKey, onPaper } from "./keys.js";
import { pitchName } from "./melody.js";

const part = (id) => document.getElementById(id);
const SNAPS = { "16ths": 1, "8ths": 2, beats: "beat" };

export class EditBar {
  #roll;
  #onchange;

  /** `onchange()` is called when snap or zoom are others. */
  constructor(roll, onchange) {
    this.#roll = roll;
    this.#onchange = onchange;
    part("snap").append(...Object.keys(SNAPS).map((name) => new Option(name, name)));
    part("snap").addEventListener("change", () => this.#snap(part("snap").value));
    part("select").addEventListener("click", () => this.#selecting(!isPressed(part("select"))));
    part("zoom-in").addEventListener("click", () => this.#zoom(1));
    part("zoom-out").addEventListener("click", () => this.#zoom(-1));
    const { place } = roll.picture;
    const wheel = (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      this.#zoom(-Math.sign(event.deltaY), event);
    };
    place.addEventListener("wheel", wheel, { passive: false });
    const commands = {
      "copy-notes": () => roll.copy(),
      "paste-notes": () => roll.paste(),
      "notes-up": () => roll.change({ higher: 1 }),
      "notes-down": () => roll.change({ higher: -1 }),
      "octave-up": () => roll.change({ higher: 12 }),
      "octave-down": () => roll.change({ higher: -12 }),
      "notes-longer": () => roll.change({ longer: 1 }),
      "notes-shorter": () => roll.change({ longer: -1 }),
      "erase-notes": () => roll.eraseSelected(),
    };
    for (const [id, command] of Object.entries(commands)) part(id).addEventListener("click", command);
  }

  get settings() {
    return { snap: part("snap").value, zoom: this.#roll.picture.zoom };
  }

  restore({ snap, zoom }) {
    if (Object.hasOwn(SNAPS, snap)) this.#snap(snap);
    if (zoom > 0) this.#roll.picture.setZoom(zoom);
    this.#showZoom();
  }

  /** Tell the key and the range of the melody; `wished` is the key that new notes shall keep to, or null. */
  show(notes, wished) {
    const pitches = notes.map(({ pitch }) => pitch);
    const key = estimatedKey(notes);
    const range = `${pitchName(Math.min(...pitches))} to ${pitchName(Math.max(...pitches))}`;
    part("melody-key").replaceChildren(
      ...(key ? [html("b", {}, key.name), ` · ${range}`] : []),
      ...(wished ? [`${key ? " · " : ""}new notes in ${onPaper(wished)}`] : []),
    );
  }

  /** Show what can be done with the notes that are selected. */
  showSelected(notes) {
    const isShown = isPressed(part("select")) || notes.length > 1;
    part("selected").hidden = !isShown;
    part("selected-count").textContent = notes.length === 1 ? "1 note" : `${notes.length} notes`;
    for (const button of part("selected").querySelectorAll("button"))
      button.disabled = button.id === "paste-notes" ? !this.#roll.hasCopy : notes.length === 0;
  }

  #snap(name) {
    part("snap").value = name;
    this.#roll.snap = SNAPS[name];
    this.#onchange();
  }

  #selecting(isOn) {
    press(part("select"), isOn);
    this.#roll.isSelecting = isOn;
    this.#roll.picture.place.classList.toggle("is-selecting", isOn);
    this.showSelected(this.#roll.selected);
  }

  #zoom(direction, at = null) {
    this.#roll.picture.zoomBy(direction, at);
    this.#showZoom();
    this.#onchange();
  }

  #showZoom() {
    const { canZoomIn, canZoomOut } = this.#roll.picture;
    part("zoom-in").disabled = !canZoomIn;
    part("zoom-out").disabled = !canZoomOut;
  }
}
