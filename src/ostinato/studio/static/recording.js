/** Recording a melody from the computer's keyboard, a MIDI keyboard or the keys beside the roll. */

import { press } from "./elements.js";
import { ComputerKeyboard } from "./keyboard.js";
import { meterOf, withNote } from "./melody.js";
import { hasMidiInput, listenToMidi } from "./midi-input.js";
import { Recorder } from "./recorder.js";

export class Recording {
  #recorder = null;
  #isOver = false;
  #button = document.getElementById("record");
  #hint = document.getElementById("recording");

  /**
   * @param player whose clock counts and whose voice sounds.
   * @param settings() gives {meter, longest, notes, isOver}: whether the recording goes over the notes.
   * @param onnotes called with the notes so far.
   * @param onend called with all of them.
   * @param onstep called with where in the melody it is, while that is known, and with null at the end.
   * @param tell, complain for messages.
   */
  constructor(player, { settings, onnotes, onend, onstep, tell, complain }) {
    Object.assign(this, { player, settings, onnotes, onend, onstep });
    this.keyboard = new ComputerKeyboard(
      (pitch) => this.press(pitch),
      (pitch) => this.release(pitch),
    );
    this.#button.addEventListener("click", () => (this.#recorder ? this.stop() : this.start()));
    const midi = document.getElementById("midi-keyboard");
    midi.hidden = !hasMidiInput;
    midi.addEventListener("click", async () => {
      try {
        const names = await listenToMidi(
          (pitch) => this.press(pitch),
          (pitch) => this.release(pitch),
        );
        if (names.length) tell(`Listening to ${names.join(", ")}. Press Record to write what you play.`);
        else tell("No MIDI keyboard is plugged in yet; it will be heard as soon as one is.");
      } catch {
        complain("The browser did not allow MIDI keyboards. Allow them for this page and try again.");
      }
    });
  }

  get isOn() {
    return this.#recorder !== null;
  }

  async start() {
    const { meter, longest, notes, isOver } = this.settings();
    this.#isOver = isOver && notes.length > 0;
    this.player.stop();
    const now = await this.player.wake();
    // What goes over a melody has its time; what replaces it may bring its own.
    const zero = this.#isOver || this.player.metronome ? await this.player.countIn(meter) : null;
    this.#recorder = new Recorder(this.player.qpm, zero, longest);
    if (zero !== null) {
      const { stepsPerBar } = meterOf(meter);
      const steps = Math.floor(longest / stepsPerBar) * stepsPerBar;
      const onstop = () => this.onstep(null);
      this.player.play({ notes: this.#isOver ? notes : [], steps, meter, onstep: this.onstep, onstop }, 0, zero);
    }
    this.keyboard.isOn = true;
    press(this.#button, true);
    const begin =
      zero === null ? "Recording begins with your first note" : `Count in: ${(zero - now).toFixed(1)} seconds`;
    const where = "on A S D F G H J K (black keys W E T Y U), on the keys beside the grid or on a MIDI keyboard";
    this.#hint.textContent = `${begin}. Play ${where}; press Record again or Esc to end.`;
    this.#hint.hidden = false;
    this.onnotes([]);
  }

  /** All notes, with those that were recorded so far. */
  over(melody, recorded) {
    return this.#isOver ? recorded.reduce(withNote, melody) : recorded;
  }

  stop() {
    if (!this.#recorder) return;
    const notes = this.#recorder.finish(this.player.context.currentTime);
    this.#recorder = null;
    this.keyboard.isOn = false;
    press(this.#button, false);
    this.#hint.hidden = true;
    this.player.stop();
    this.onend(notes);
  }

  /** A key goes down: it sounds, and is written if a recording is on. */
  async press(pitch) {
    const heard = this.player.press(pitch);
    this.#recorder?.press(pitch, this.player.context.currentTime);
    await heard;
  }

  release(pitch) {
    this.player.release(pitch);
    if (this.#recorder) this.onnotes(this.#recorder.release(pitch, this.player.context.currentTime));
  }
}
