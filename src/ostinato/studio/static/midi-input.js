/** A MIDI keyboard at the computer, where the browser knows Web MIDI; it asks for leave on a click only. */

const NOTE_OFF = 0x80;
const NOTE_ON = 0x90;

export const hasMidiInput = "requestMIDIAccess" in navigator;

/** Listen to every keyboard, also to those plugged in later; returns the names of those that are there now. */
export async function listenToMidi(onpress, onrelease) {
  const access = await navigator.requestMIDIAccess();
  const listen = () => {
    for (const input of access.inputs.values()) {
      input.onmidimessage = ({ data: [status, pitch, velocity] }) => {
        const kind = status & 0xf0;
        if (kind === NOTE_ON && velocity > 0) onpress(pitch);
        else if (kind === NOTE_ON || kind === NOTE_OFF) onrelease(pitch);
      };
    }
  };
  access.onstatechange = listen;
  listen();
  return [...access.inputs.values()].map((input) => input.name);
}
