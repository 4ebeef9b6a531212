/** What comes in and goes out: files dropped anywhere, the choice of a track, links, downloads, melodies dragged. */

import { html } from "./elements.js";
import { isTyping } from "./keyboard.js";

/** How the fragment of a link begins that holds a melody; see share.js. */
export const LINK = "#melody=";

/** What is dragged onto the roll. */
export const DRAGGED = "application/x-ostinato-melody";

/** Save bytes under a name. */
export function download(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = html("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** The bytes as an address that can be dragged out of the browser. */
export function dataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

/**
 * Call onfile(file) for a file dropped anywhere on the page, or chosen by the button; and ontunes({entries, files}) for
 * a folder or several files, or whatever is dropped while they are asked for.
 */
export function listenForFiles(onfile, ontunes) {
  const veil = document.getElementById("drop");
  const chooser = document.getElementById("file");
  const hasFile = (event) => event.dataTransfer?.types.includes("Files");
  let depth = 0; // dragenter and dragleave come for every element on the way
  document.addEventListener("dragenter", (event) => {
    if (hasFile(event) && (depth += 1)) veil.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (hasFile(event) && (depth -= 1) <= 0) veil.hidden = true;
  });
  document.addEventListener("dragover", (event) => hasFile(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    depth = 0;
    veil.hidden = true;
    if (!hasFile(event)) return;
    event.preventDefault();
    const files = [...event.dataTransfer.files];
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const isFolder = files.length > 1 || entries.some((entry) => entry.isDirectory);
    if (isFolder || document.querySelector("#training[open]")) ontunes({ entries, files });
    else if (files[0]) onfile(files[0]);
  });
  document.getElementById("open").addEventListener("click", () => chooser.click());
  chooser.addEventListener("change", () => {
    if (chooser.files[0]) onfile(chooser.files[0]);
    chooser.value = "";
  });
}

/** Call onlink(link) for a link that is opened here, now or later, or pasted. */
export function listenForLinks(onlink) {
  const look = () => {
    const link = location.href;
    if (!link.includes(LINK)) return;
    history.replaceState(null, "", link.split("#")[0]); // or each reload would open it again
    onlink(link);
  };
  addEventListener("hashchange", look);
  document.addEventListener("paste", (event) => {
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (isTyping(event.target) || !text.includes(LINK)) return;
    event.preventDefault();
    onlink(text);
  });
  look();
}

/** Which of several tracks is meant: one of them, or null. */
export function chooseTrack(tracks) {
  const dialog = document.getElementById("tracks");
  return new Promise((resolve) => {
    let chosen = null;
    document
      .getElementById("track-list")
      .replaceChildren(
        ...tracks.map((track) =>
          html(
            "button",
            { type: "button", class: "button track", onclick: () => ((chosen = track), dialog.close()) },
            html("b", {}, track.name || `Track ${track.track + 1}`),
            html("span", {}, track.num_notes === 1 ? "1 note" : `${track.num_notes} notes`),
          ),
        ),
      );
    document.getElementById("tracks-cancel").onclick = () => dialog.close();
    dialog.addEventListener("close", () => resolve(chosen), { once: true });
    dialog.showModal();
  });
}

/**
 * Let a melody be dragged by a handle: onto the roll, and out of the browser where it knows how (Chrome and Edge do).
 *
 * @param link() resolves to {name, url} of its MIDI file, or to null; it is called when the handle is pressed.
 * @param melody what the roll takes, {events, meter, ends, text}; null for what is there already.
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
