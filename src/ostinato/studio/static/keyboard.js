/** A piano on the computer's keyboard: A to K are the white keys from C on, the row above has the black ones. */

const SEMITONES = {
  KeyA: 0,
  KeyW: 1,
  KeyS: 2,
  KeyE: 3,
  KeyD: 4,
  KeyF: 5,
  KeyT: 6,
  KeyG: 7,
  KeyY: 8,
  KeyH: 9,
  KeyU: 10,
  KeyJ: 11,
  KeyK: 12,
  KeyO: 13,
  KeyL: 14,
  KeyP: 15,
  Semicolon: 16,
};
const OCTAVE_DOWN = "KeyZ";
const OCTAVE_UP = "KeyX";

export class ComputerKeyboard {
  isOn = false;
  base = 60;
  #down = new Map(); // key -> the pitch it started, which an octave key may since have moved

  /** Calls onpress(pitch) and onrelease(pitch) while it is on. */
  constructor(onpress, onrelease) {
    document.addEventListener("keydown", (event) => {
      if (!this.isOn || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (event.code === OCTAVE_DOWN) this.base = Math.max(this.base - 12, 24);
      else if (event.code === OCTAVE_UP) this.base = Math.min(this.base + 12, 96);
      else if (!(event.code in SEMITONES)) return;
      else if (!event.repeat) {
        const pitch = this.base + SEMITONES[event.code];
        this.#down.set(event.code, pitch);
        onpress(pitch);
      }
      event.preventDefault();
    });
    const release = (code) => {
      const pitch = this.#down.get(code);
      if (pitch === undefined) return;
      this.#down.delete(code);
      onrelease(pitch);
    };
    document.addEventListener("keyup", (event) => release(event.code));
    // Keys that go up over another window are not heard of here.
    window.addEventListener("blur", () => [...this.#down.keys()].forEach(release));
  }
}

let isByKeys = false; // how the focus came to where it is
document.addEventListener("pointerdown", () => (isByKeys = false), true);
document.addEventListener("keydown", (event) => event.key === "Tab" && (isByKeys = true), true);

/** Whether a key belongs to what has the focus: text that is typed, a list, or a control that Tab led to. */
export function belongsToFocus(target, key) {
  if (target.closest?.("dialog")) return true;
  if (key === " " && isByKeys) return target.matches?.("button, summary, input, select, .small-roll") ?? false;
  if (key === " ") return target.matches?.("input[type=text], .small-roll") ?? false;
  return isTyping(target) || (target.matches?.("input, .small-roll") ?? false);
}

/** Whether keys belong to a field for text or numbers. */
export function isTyping(target) {
  return target.matches?.("select, textarea, input:not([type=checkbox], [type=range], [type=file])") ?? false;
}
