/** The studio's server: see /api/openapi.json. */

import { browserName } from "./storage.js";

const ROOT = new URL("..", import.meta.url); // the studio may be behind a prefix
const client = { "Ostinato-Client": browserName() };

/** What the server, or the lack of one, says in one sentence for the person at the page. */
export class ApiError extends Error {}

async function request(path, options) {
  let response;
  try {
    response = await fetch(new URL(path, ROOT), { ...options, headers: { ...client, ...options?.headers } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The studio does not answer. Is “ostinato studio” still running in the terminal?");
  }
  if (response.ok) return response;
  const answer = await response.json().catch(() => ({}));
  throw new ApiError(answer.error ?? `The studio answered with status ${response.status}.`);
}

function post(path, body, signal) {
  return request(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });
}

export async function fetchModels() {
  return (await request("api/models")).json();
}

export async function generate(wishes, signal) {
  return (await post("api/generate", wishes, signal)).json();
}

/** {ahead, seconds}: how many requests come before ours, and how long they take; null if we have none. */
export async function fetchQueue() {
  return (await request("api/queue")).json();
}

/** The melodies in a MIDI, MusicXML or ABC file, one or more for every track that has any. */
export async function readMidi(file) {
  const path = `api/primer?filename=${encodeURIComponent(file.name)}`;
  const options = { method: "POST", headers: { "Content-Type": "audio/midi" }, body: file };
  return (await (await request(path, options)).json()).tracks;
}

/** {chords, num_steps}: the chords of a text one by one, {step, name, root, pitches}, and how long its bars are. */
export async function readChords(text, meter) {
  return (await post("api/chords", { chords: text, meter })).json();
}

/** Ways to put chords to a melody, each [[step, name], …]. */
export async function harmonize(melody) {
  return (await (await post("api/harmonize", melody)).json()).ways;
}

/** A MIDI file of one melody, a zip of several; `accompaniment` says how the chords are played, or null. */
export async function midiOf(melodies, qpm, names, accompaniment = null) {
  return (await post("api/midi", { melodies: melodies.map(forServer), qpm, names, accompaniment })).blob();
}

/** A melody as `sound` says: {qpm, program or instrument, clicks, accompaniment}. */
export async function wavOf(melody, sound) {
  return (await post("api/wav", { ...forServer(melody), ...sound })).blob();
}

/** A score of {events, meter, chords, qpm, key, title}, as "abc" or "musicxml". */
export async function scoreOf(score, format) {
  return (await post("api/score", { ...score, format })).blob();
}

/** One more file to learn from. */
export async function putTune(file) {
  const path = `api/tunes?filename=${encodeURIComponent(file.name)}`;
  await request(path, { method: "POST", headers: { "Content-Type": "audio/midi" }, body: file });
}

/** What is in the files to learn from. */
export async function inspectTunes() {
  return (await request("api/tunes")).json();
}

export async function dropTunes() {
  await request("api/tunes", { method: "DELETE" });
}

export async function learn(name, minutes) {
  return (await post("api/learn", { name, minutes })).json();
}

/** How the training goes, or went. */
export async function fetchLearning() {
  return (await request("api/learn")).json();
}

export async function cancelLearning() {
  await request("api/learn", { method: "DELETE" });
}

/** A model that was trained here, as a file. */
export async function bundleOf(model) {
  return (await request(`api/bundle?model=${encodeURIComponent(model)}`)).blob();
}

function forServer({ events, meter, chords = [] }) {
  return { events, meter, chords };
}
