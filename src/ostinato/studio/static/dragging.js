/** Melodies that are dragged: onto the roll, and out of the browser where it knows how (Chrome and Edge do). */

/** What is dragged onto the roll. */
export const DRAGGED = "application/x-ostinato-melody";

/**
 * Let a melody be dragged by a handle.
 *
 * @param link() resolves to {name, url} of its MIDI file, or to null; it is called when the handle is pressed.
 * @param melody what the roll takes, {events, meter, ends}; null for what is there already.
 */
export function letDrag(handle, link, melody = null) {
  let address = null;
  handle.draggable = true;
  handle.addEventListener("pointerdown", async () => {
    address = null;
    address = await link();
  });
  handle.addEventListener("dragstart", ({ dataTransfer }) => {
    dataTransfer.effectAllowed = "copy";
    if (melody) dataTransfer.setData(DRAGGED, JSON.stringify(melody));
    if (address) dataTransfer.setData("DownloadURL", `audio/midi:${address.name}:${address.url}`);
  });
}
