/**
 * A session: the melody and the variations with all their past, the settings and the favorites; as the browser keeps
 * it, and as a file.
 */

import { isMeter } from "./melody.js";
import { loadSession, newId, saveSession } from "./storage.js";
import { isVariation } from "./variation.js";

const FORMAT = "ostinato session";
const VERSION = 1;
const SOON = 50; // milliseconds after a change

const ids = new WeakMap(); // of variations

export class Session {
  #timer = null;
  #isRunning = false;

  /** `read()` gives {line, settings}, what is to be kept: see History and main.js. */
  constructor(read) {
    this.read = read;
    // A page may be gone at any moment after it was hidden.
    document.addEventListener("visibilitychange", () => document.hidden && this.#save());
    window.addEventListener("pagehide", () => this.#save());
  }

  /** What was kept: {line, settings}, or null. */
  async load() {
    const found = await loadSession();
    this.#isRunning = true;
    if (!found) return null;
    for (const [id, variation] of found.variations) ids.set(variation, id);
    return unpacked(found.session, found.variations);
  }

  /** Keep what there is now, soon. */
  changed() {
    this.#timer ??= setTimeout(() => this.#save(), SOON);
  }

  #save() {
    clearTimeout(this.#timer);
    this.#timer = null;
    if (!this.#isRunning) return; // nothing is there yet
    const variations = new Map();
    saveSession(packed(this.read(), variations), variations);
  }
}

/** The bytes of a file of a session {line, settings} and favorites. */
export function sessionFile(session, favorites) {
  const variations = new Map();
  const whole = packed(session, variations);
  const file = { format: FORMAT, version: VERSION, ...whole, variations: Object.fromEntries(variations), favorites };
  return new Blob([JSON.stringify(file)], { type: "application/json" });
}

/** {line, settings, favorites} of such a file; a RangeError says what is wrong with another one. */
export function readSession(text, name) {
  let file = null;
  try {
    file = JSON.parse(text);
  } catch {
    // It is told below.
  }
  if (file?.format !== FORMAT) throw new RangeError(`${name} is not a session of this studio. Choose another file.`);
  if (file.version !== VERSION)
    throw new RangeError(`${name} was saved by a newer studio. Update Ostinato to open it.`);
  try {
    const variations = new Map(Object.entries(file.variations));
    const session = unpacked(file, variations);
    if (!session || ![...variations.values()].every(isVariation) || !file.favorites.every(isFavorite)) throw null;
    return { ...session, favorites: file.favorites };
  } catch {
    throw new RangeError(`${name} is damaged, so nothing was opened. Choose another file.`);
  }
}

/** Whether something that was kept is a favorite. */
export function isFavorite(value) {
  return isVariation(value) && typeof value.id === "string" && typeof value.name === "string" && value.qpm > 0;
}

/** The session with its variations by their ids, which go to `variations`. */
function packed({ line: { past, present, future }, settings }, variations) {
  const idOf = (variation) => {
    if (!ids.has(variation)) ids.set(variation, newId());
    variations.set(ids.get(variation), variation);
    return ids.get(variation);
  };
  const state = ({ results, ...rest }) => ({ ...rest, results: results && results.variations.map(idOf) });
  const step = (each) => ({ ...each, state: state(each.state) });
  return { line: { past: past.map(step), present: state(present), future: future.map(step) }, settings };
}

/** A session of what was packed; null if it is not one. */
function unpacked({ line, settings }, variations) {
  // An earlier studio had no locks, and no chords.
  const state = ({ notes, meter, ends, locked = [], chords = "", results }) => {
    if (!isMeter(meter) || !notes.every(isNote) || !locked.every(Number.isInteger)) throw null;
    if (typeof chords !== "string") throw null;
    const melody = { notes, meter, ends: Boolean(ends), locked, chords };
    if (results === null) return { ...melody, results };
    const found = results.map((id) => variations.get(id));
    if (!found.every(Boolean)) throw null;
    return { ...melody, results: { variations: found } };
  };
  const step = (each) => {
    if (typeof each.what !== "string" || (each.removed && !isFavorite(each.removed))) throw null;
    return { ...each, state: state(each.state) };
  };
  try {
    const whole = { past: line.past.map(step), present: state(line.present), future: line.future.map(step) };
    return { line: whole, settings: Object(settings) };
  } catch {
    return null;
  }
}

function isNote(note) {
  const { pitch, start, length } = note;
  return [pitch, start, length].every(Number.isInteger) && 0 <= pitch && pitch <= 127 && start >= 0 && length > 0;
}
