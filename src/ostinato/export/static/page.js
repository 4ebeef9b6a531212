/** The page of one model: a beginning that is drawn or played, and four ways to go on. */

import { parseMeter, pitchName } from "./music.js";
import { eventsOf, notesOf, toMidi } from "./midi.js";
import { RemoteModel } from "./remote.js";

const [LOWEST, HIGHEST] = [55, 79]; // of the roll to draw on
const NUM_BARS = 2; // to draw on
const NUM_VARIATIONS = 4;
const KEYS = ["C", "G", "D", "A", "E", "B", "F#", "Db", "Ab", "Eb", "Bb", "F"];
// The white keys from C on, and the black ones above them, on the computer's keyboard.
const COMPUTER_KEYS = ["KeyA", "KeyW", "KeyS", "KeyE", "KeyD", "KeyF", "KeyT", "KeyG", "KeyY", "KeyH", "KeyU", "KeyJ", "KeyK"];

const byId = (id) => document.getElementById(id);
const [player, board, piano, lengthChoice, meterChoice, keyChoice] = ["primer", "board", "piano", "length", "meter", "key"].map(byId);
const [generate, variations, status] = ["generate", "variations", "status"].map(byId);
const roll = board.querySelector("svg");
const links = []; // addresses of MIDI files, to be given back
let notes = [];
let place = { step: 0, pitch: 67 };
let drawing = null;

const numSteps = () => NUM_BARS * parseMeter(meterChoice.value).stepsPerBar;
const tempo = () => Math.min(Math.max(byId("qpm").valueAsNumber || 120, 30), 300);

/** The inside of a piano roll whose step is 1 wide and whose row is 1 high. */
function rollOf(rolled, steps, meter, low, high, given = 0) {
  const rows = high - low + 1;
  const lines = (name, width, skip) => {
    let path = "";
    for (let step = width; step < steps; step += width) if (!skip || step % skip) path += `M${step} 0v${rows}`;
    return `<path class="${name}" d="${path}" vector-effect="non-scaling-stroke"/>`;
  };
  let black = "";
  for (let pitch = low; pitch <= high; pitch += 1) if (pitchName(pitch).includes("#")) black += `M0 ${high - pitch}h${steps}v1H0z`;
  const rects = rolled.map(({ pitch, start, end }) => {
    const its = start < given ? ' class="given"' : "";
    return `<rect${its} x="${start}" y="${high - pitch}" width="${end - start - 0.1}" height="1" rx=".15"/>`;
  });
  return (
    `<rect class="paper" width="${steps}" height="${rows}"/><path class="keys" d="${black}"/>` +
    lines("beats", meter.stepsPerBeat, meter.stepsPerBar) + lines("bars", meter.stepsPerBar) +
    `<g class="notes">${rects.join("")}</g>`
  );
}

/** Draw the beginning, and let its player know it. */
function show() {
  const steps = numSteps();
  notes = notes.filter(({ start }) => start < steps).map((note) => ({ ...note, end: Math.min(note.end, steps) }));
  player.stop();
  roll.setAttribute("viewBox", `0 0 ${steps} ${HIGHEST - LOWEST + 1}`);
  roll.innerHTML =
    rollOf(notes, steps, parseMeter(meterChoice.value), LOWEST, HIGHEST) +
    `<rect class="place" x="${place.step}" y="${HIGHEST - place.pitch}" width="1" height="1"/>`;
  roll.append(player.cursor);
  player.cursor.setAttribute("y2", HIGHEST - LOWEST + 1);
  player.width = steps;
  player.events = eventsOf(notes, steps);
  player.notes = notesOf(player.events);
  player.pictures = roll.querySelectorAll(".notes rect");
}

/** The notes with one more: what sounds meanwhile gives way. */
function withNote(note) {
  const others = notes
    .filter(({ start, end }) => end <= note.start || start < note.start || start >= note.end)
    .map((other) => (other.start < note.start ? { ...other, end: Math.min(other.end, note.start) } : other));
  return [...others, note].sort((one, other) => one.start - other.start);
}

function noteAt({ step, pitch }) {
  return notes.find((note) => note.pitch === pitch && note.start <= step && step < note.end);
}

/** Let one pitch be heard. */
const sounding = document.createElement("melody-player");
sounding.className = "hidden-player";
sounding.setAttribute("events", "60");
sounding.innerHTML = '<button type="button" class="play"></button><svg viewBox="0 0 1 1"></svg>';
function hear(pitch) {
  sounding.qpm = tempo();
  sounding.events = [pitch, -2, -2];
  sounding.notes = notesOf(sounding.events);
  sounding.pictures = sounding.notes.map(() => sounding); // lights up where nobody sees it
  sounding.play();
}

function tell({ step, pitch }) {
  const { stepsPerBar } = parseMeter(meterChoice.value);
  const it = noteAt({ step, pitch });
  const length = it ? `, a note of ${it.end - it.start} 16ths` : "";
  status.textContent = `${pitchName(pitch)}, bar ${Math.floor(step / stepsPerBar) + 1}, 16th ${(step % stepsPerBar) + 1}${length}`;
}

function cellOf(event) {
  const box = roll.getBoundingClientRect();
  const step = Math.floor(((event.clientX - box.left) / box.width) * numSteps());
  const row = Math.floor(((event.clientY - box.top) / box.height) * (HIGHEST - LOWEST + 1));
  return { step: Math.min(Math.max(step, 0), numSteps() - 1), pitch: Math.min(Math.max(HIGHEST - row, LOWEST), HIGHEST) };
}

function draw(start, end, pitch) {
  notes = withNote({ pitch, start, end: Math.min(end, numSteps()) });
  show();
}

board.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  place = cellOf(event);
  drawing = { before: notes, removes: noteAt(place), from: place };
  if (!drawing.removes) {
    board.setPointerCapture(event.pointerId);
    draw(place.step, place.step + Number(lengthChoice.value), place.pitch);
    hear(place.pitch);
  }
});
board.addEventListener("pointermove", (event) => {
  if (!drawing || drawing.removes) return;
  const { step } = cellOf(event);
  if (step <= drawing.from.step) return;
  notes = drawing.before;
  draw(drawing.from.step, step + 1, drawing.from.pitch);
});
board.addEventListener("pointerup", () => {
  if (drawing?.removes) {
    notes = notes.filter((note) => note !== drawing.removes);
    show();
  }
  drawing = null;
});
board.addEventListener("pointercancel", () => {
  if (drawing) notes = drawing.before; // the finger scrolls
  drawing = null;
  show();
});
roll.addEventListener("click", (event) => event.stopImmediatePropagation(), true); // the player would play from there

board.addEventListener("keydown", (event) => {
  const it = noteAt(place);
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.shiftKey && it && ["ArrowLeft", "ArrowRight"].includes(event.key)) {
    const end = it.end + moves[event.key][0];
    if (end > it.start) {
      notes = notes.filter((note) => note !== it);
      place = { step: it.start, pitch: it.pitch };
      draw(it.start, end, it.pitch);
    }
  } else if (Object.hasOwn(moves, event.key)) {
    const [steps, pitches] = moves[event.key];
    place = {
      step: Math.min(Math.max(place.step + steps, 0), numSteps() - 1),
      pitch: Math.min(Math.max(place.pitch + pitches, LOWEST), HIGHEST),
    };
    show();
  } else if (event.key === "Enter" || event.key === " " || event.key === "Delete") {
    if (it) notes = notes.filter((note) => note !== it);
    else if (event.key !== "Delete") {
      notes = withNote({ pitch: place.pitch, start: place.step, end: Math.min(place.step + Number(lengthChoice.value), numSteps()) });
      hear(place.pitch);
    }
    show();
  } else return;
  event.preventDefault();
  tell(place);
});

/** A key of the piano: its note comes after the last one. */
function press(pitch) {
  const start = Math.max(0, ...notes.map(({ end }) => end));
  if (start < numSteps()) draw(start, start + Number(lengthChoice.value), pitch);
  else status.textContent = `Your beginning is full: ${NUM_BARS} bars.`;
  hear(pitch);
}

COMPUTER_KEYS.forEach((code, semitones) => {
  const pitch = 60 + semitones;
  const key = document.createElement("button");
  key.type = "button";
  key.setAttribute("aria-label", pitchName(pitch));
  if (pitchName(pitch).includes("#")) key.className = "black";
  else key.textContent = pitchName(pitch)[0];
  key.addEventListener("click", () => press(pitch));
  piano.append(key);
});
// Letters are a piano only where one looks at it, so that they are free for screen readers elsewhere.
player.addEventListener("keydown", (event) => {
  const semitones = COMPUTER_KEYS.indexOf(event.code);
  const isTyping = event.target.matches("select");
  if (semitones < 0 || event.repeat || event.ctrlKey || event.metaKey || event.altKey || isTyping) return;
  press(60 + semitones);
});

byId("clear").addEventListener("click", () => {
  notes = [];
  show();
});
meterChoice.addEventListener("change", show);
byId("qpm").addEventListener("input", () => document.querySelectorAll("melody-player").forEach((each) => each.setTempo(tempo())));
keyChoice.append(...KEYS.flatMap((tonic) => [new Option(`${tonic} major`), new Option(`${tonic} minor`)]));

/** One variation: its roll, a button to play it, a link to save it. */
function card(melody, number, seed) {
  const rolled = notesOf(melody.events);
  const pitches = rolled.map(({ pitch }) => pitch);
  const [low, high] = [Math.min(...pitches) - 2, Math.max(...pitches) + 2];
  const steps = melody.events.length;
  const name = `variation ${number}`;
  const figure = document.createElement("figure");
  figure.className = "panel melody";
  figure.innerHTML =
    `<melody-player events="${melody.events.join(" ")}" qpm="${tempo()}">` +
    `<div class="row"><button type="button" class="play" aria-label="Play ${name}" hidden>▶</button>` +
    `<a class="button" aria-label="Save ${name} as MIDI">Save as MIDI</a></div>` +
    `<svg role="img" aria-label="Piano roll of ${name}" viewBox="0 0 ${steps} ${high - low + 1}" preserveAspectRatio="none">` +
    `${rollOf(rolled, steps, parseMeter(melody.meter), low, high, melody.primerSteps)}</svg></melody-player>`;
  const link = figure.querySelector("a");
  const file = URL.createObjectURL(new Blob([toMidi(melody, { qpm: tempo() })], { type: "audio/midi" }));
  links.push(file);
  link.href = file;
  link.download = `melody-${seed}-${number}.mid`;
  return figure;
}

async function make(model) {
  const given = byId("seed").value;
  const seed = given === "" ? Math.floor(Math.random() * 1e9) : Number(given);
  generate.disabled = true;
  generate.setAttribute("aria-busy", "true");
  status.textContent = "Composing …";
  try {
    const began = performance.now();
    const melodies = await model.generate({
      primer: notes.length ? eventsOf(notes) : null,
      numBars: Number(byId("bars").value),
      numOutputs: NUM_VARIATIONS,
      meter: meterChoice.value,
      key: keyChoice.value || null,
      temperature: byId("temperature").valueAsNumber,
      seed,
    });
    links.splice(0).forEach((link) => URL.revokeObjectURL(link));
    variations.replaceChildren(...melodies.map((melody, i) => card(melody, i + 1, seed)));
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    status.textContent = `${NUM_VARIATIONS} melodies of seed ${seed}, made in ${seconds} seconds.`;
  } catch (error) {
    status.textContent = error.message;
  }
  generate.disabled = false;
  generate.removeAttribute("aria-busy");
}

async function start() {
  player.after(sounding);
  show();
  try {
    const packed = Uint8Array.from(atob(byId("weights").textContent), (character) => character.charCodeAt(0));
    const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const program = URL.createObjectURL(new Blob([byId("worker").textContent], { type: "text/javascript" }));
    const model = await new RemoteModel(new Worker(program)).load(await new Response(unpacked).arrayBuffer());
    generate.addEventListener("click", () => make(model));
    generate.disabled = false;
    status.textContent = "";
  } catch (error) {
    status.textContent = `The model does not start: ${error.message}`;
  }
  document.documentElement.dataset.ready = "";
}

start();
