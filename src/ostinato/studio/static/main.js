/** The studio's page: what its parts tell each other. */

import * as api from "./api.js";
import { Asking } from "./asking.js";
import { ChordLane, wishesOf } from "./chord-lane.js";
import { chordTextOf, firstStepOf, readChords, trackOf } from "./chords.js";
import { EditBar } from "./edit-bar.js";
import { html, isPressed, press } from "./elements.js";
import { firstMelody } from "./first-melody.js";
import { Favorites } from "./favorites.js";
import { DRAGGED, chooseTrack, dataUrl, download, listenForFiles, listenForLinks } from "./files.js";
import { History } from "./history.js";
import { belongsToFocus, isTyping } from "./keyboard.js";
import { MarkedBars } from "./marked-bars.js";
import { MelodyTools } from "./melody-tools.js";
import { METERS, barsOf, beginOf, endOf, eventName, eventsOf, meterOf, notesOf } from "./melody.js";
import { complain, hide, say, tell } from "./messages.js";
import { Mixer } from "./mixer.js";
import { Player } from "./player.js";
import { Recording } from "./recording.js";
import { Results } from "./results.js";
import { PianoRoll } from "./roll.js";
import { Session, readSession, sessionFile } from "./session.js";
import { TapTempo } from "./tap-tempo.js";
import { fileNameOf, isSoundingBefore, variationsOf } from "./variation.js";
import { RECORDED, VOICES, instrumentOf, isVoice } from "./voices.js";
import { Wishes } from "./wishes.js";

const part = (id) => document.getElementById(id);
const limits = { max_steps: 1024, max_bars: 32, max_fill_bars: 16, max_variations: 8 };
const player = new Player();
const mixer = new Mixer(player, () => session.changed());
const asking = new Asking(part("generate"), part("waiting"));

// ---- what is shown, and its past

/** The tests look at it, too. */
export const history = new History({ notes: [], meter: "4/4", ends: false, locked: [], chords: "", results: null }, show);

const session = new Session(() => ({ line: history.line, settings: settings() }));

function show({ notes, meter, locked, chords, results }, step = null, isUndo = false) {
  roll.show(notes, meter);
  editBar.show(notes, wishes.key);
  marked.show(notes, meter, locked);
  lane.show({ notes, meter, chords });
  tools.show({ notes });
  showMeter(meter);
  resultList.show(results);
  hide(); // what was said of an earlier state
  part("undo").disabled = !history.canUndo;
  part("redo").disabled = !history.canRedo;
  part("play").disabled = part("clear").disabled = notes.length === 0;
  if (step?.removed) isUndo ? favorites.addAgain([step.removed]) : favorites.remove(step.removed);
  session.changed();
}

let keptSettings = {}; // until the form knows the models, and can be filled in

/** What is chosen beside the melody and the variations. */
function settings() {
  if (keptSettings) return keptSettings;
  const [loop, metronome] = [player.loop, player.metronome];
  const over = isPressed(part("over"));
  const { snap, zoom } = editBar.settings;
  const staff = tools.staff.isShown;
  const { qpm, voice } = player;
  return { wishes: wishes.settings, qpm, voice, loop, metronome, over, mixer: mixer.settings, staff, snap, zoom };
}

function restoreSettings({ wishes: wished, qpm, voice, loop, metronome, over, mixer: mixed, staff, ...editing }) {
  editBar.restore(editing);
  setTempo(Number(qpm));
  if (isVoice(voice)) chooseVoice(voice);
  press(part("over"), over === true);
  press(part("loop"), (player.loop = loop === true));
  press(part("metronome"), (player.metronome = metronome === true));
  mixer.restore(Object(mixed));
  const gone = wishes.restore(Object(wished));
  if (staff === true) tools.staff.show(true);
  followModel(wishes.model);
  followKey();
  if (gone) complain(`There is no model “${gone}” here any more, so “${wishes.model.name}” plays.`);
}

function chooseVoice(name) {
  part("voice").value = name;
  player.choose(name)?.catch(() => complain(`The recorded ${RECORDED[name]} cannot be loaded. Choose another sound.`));
}

function showMeter(meter) {
  const select = part("meter");
  if (![...select.options].some((option) => option.value === meter)) select.append(new Option(meter, meter));
  select.value = meter;
}

function undo() {
  player.stop();
  const what = history.undo();
  tell(what ? `Undone: ${what}.` : "There is nothing to undo.");
}

function redo() {
  player.stop();
  const what = history.redo();
  tell(what ? `Done again: ${what}.` : "There is nothing to do again.");
}

// ---- the melody

const roll = new PianoRoll(part("roll"), {
  maxSteps: limits.max_steps,
  say,
  onhear: (pitch) => player.hint(pitch),
  onkey: (pitch, isDown) => (isDown ? recording.press(pitch) : recording.release(pitch)),
  onedit: (notes, what) => history.commit({ notes, ends: false }, what),
  onselect: (notes) => editBar?.showSelected(notes),
});

const tapTempo = new TapTempo();
const editBar = new EditBar(roll, () => session.changed());

const marked = new MarkedBars(roll.picture, {
  onfill: fill,
  onlock: (locked, what) => history.commit({ locked }, what),
  say,
});

const lane = new ChordLane(roll.picture, {
  key: () => wishes.key,
  onchange: (chords, what) => {
    history.commit({ chords }, what);
    tell(chords ? `Your melody now has ${what}.` : "Your melody has no chords now.", { onundo: undo });
  },
  report,
});

const recording = new Recording(player, {
  settings: () => ({
    ...history.present,
    longest: limits.max_steps / 2,
    isOver: isPressed(part("over")),
  }),
  onnotes: (notes) => roll.show(recording.over(history.present.notes, notes), history.present.meter),
  onstep: (step) => roll.picture.showPlayhead(step),
  onend: (notes) => {
    if (notes.length) {
      history.commit({ notes: recording.over(history.present.notes, notes), ends: false }, "the recording");
      roll.picture.center();
      tell(notes.length === 1 ? "Recorded 1 note." : `Recorded ${notes.length} notes.`, { onundo: undo });
    } else {
      show(history.present);
      tell("No note was played, so your melody is as it was.");
    }
  },
  tell,
  complain,
});

/** The chords beside the notes on the roll, up to a step. */
function melodyChords(end) {
  const { notes, meter, chords } = history.present;
  return trackOf(chords, meter, end, firstStepOf(eventsOf(notes), meter));
}

function melodyTrack() {
  const { notes, meter } = history.present;
  const steps = barsOf(endOf(notes), stepsPerBar()) * stepsPerBar();
  return {
    notes,
    chords: melodyChords(steps),
    steps,
    meter,
    span: () => marked.span,
    onstep: showMelodyPlayhead,
    onstop: () => showMelodyPlaying(false),
  };
}
let playedMelody = null;

function showMelodyPlaying(isPlaying) {
  part("play")
    .querySelector("use")
    .setAttribute("href", isPlaying ? "#icon-stop" : "#icon-play");
  part("play").querySelector("span").textContent = isPlaying ? "Stop" : "Play your melody";
  if (!isPlaying) showMelodyPlayhead(null);
}

function showMelodyPlayhead(step) {
  roll.picture.showPlayhead(step);
  tools.staff.showPlayhead(step);
}

async function playMelody(from = null) {
  if (recording.isOn) return recording.stop();
  if (playedMelody && player.isPlaying(playedMelody)) return player.stop();
  playedMelody = melodyTrack();
  await player.play(playedMelody, from ?? beginOf(eventsOf(playedMelody.notes), playedMelody.meter));
  showMelodyPlaying(true);
}

function stepsPerBar() {
  return meterOf(history.present.meter).stepsPerBar;
}

/** Put a melody on the roll. */
function useMelody(melody, what) {
  const { events, meter, ends = false } = melody;
  player.stop();
  history.commit({ notes: notesOf(events), meter, ends, locked: [], chords: chordTextOf(melody) }, what);
  roll.picture.center();
  part("melody-title").scrollIntoView({ block: "nearest" });
  tell(`Your melody is now ${what}.`, { onundo: undo });
}

async function openFile(file) {
  try {
    if ((await file.slice(0, 1).text()) === "{") return await openSession(file);
    if (file.size > limits.max_upload_bytes) {
      throw new api.ApiError(
        `${file.name} is larger than ${Math.floor(limits.max_upload_bytes / 1000)} kB. Choose a smaller file.`,
      );
    }
    const tracks = await api.readMidi(file);
    const track = tracks.length === 1 ? tracks[0] : await chooseTrack(tracks);
    if (!track) return;
    setTempo(track.qpm);
    const isCut = track.length > track.events.length;
    const bars = barsOf(track.events.length, track.steps_per_bar);
    useMelody(track, isCut ? `the first ${bars} bars of ${file.name}` : file.name);
  } catch (error) {
    report(error);
  }
}

/** Take over a saved session; undoing leads back to what was here. */
async function openSession(file) {
  const { line, settings: chosen, favorites: found } = readSession(await file.text(), file.name);
  player.stop();
  history.restore(line, `opening ${file.name}`);
  restoreSettings(chosen);
  await favorites.addAgain(found);
  roll.picture.center();
  tell(`Opened the session ${file.name}.`);
}

function saveSession() {
  const name = `ostinato-session-${new Date().toISOString().slice(0, 10)}.json`;
  save(sessionFile({ line: history.line, settings: settings() }, favorites.melodies), name);
}

/** What reads and writes links is loaded for the first of them. */
const links = () => import("./share.js");

async function openLink(link) {
  try {
    const melody = (await links()).melodyOf(link, limits.max_steps);
    if (melody.text) melody.text = await readChords(melody.text, melody.meter);
    setTempo(melody.qpm);
    useMelody(melody, "what the link holds");
  } catch (error) {
    report(error);
  }
}

function setTempo(qpm) {
  const input = part("tempo");
  const kept = Math.min(Math.max(qpm || 120, Number(input.min)), Number(input.max));
  player.qpm = kept;
  input.value = kept;
  tools.staff.refresh();
  session.changed();
}

// ---- asking the model

const wishes = new Wishes(followModel, followKey);

function followModel(model) {
  if (model) roll.setRange(model.min_pitch, model.max_pitch);
}

function followKey() {
  roll.picture.setKey(wishes.scale);
  editBar.show(history.present.notes, wishes.key);
}

/** How many bars the whole has: the new ones come after the bar that was begun, within the server's bounds. */
function wholeLength(begun, meter) {
  const { stepsPerBar: bar } = meterOf(meter);
  const room = begun ? limits.max_steps : limits.max_steps - bar; // an upbeat has a bar of its own
  const most = Math.floor(Math.min(begun + limits.max_bars * bar, room) / bar);
  if (most * bar <= begun) throw new RangeError("This melody leaves no room to go on. Please shorten it.");
  return Math.min(barsOf(begun, bar) + wishes.bars, most);
}

function generate() {
  const { notes, meter } = history.present;
  const primer = notes.length ? { events: eventsOf(notes), meter } : null;
  const begin = primer ? { primer } : { primer, upbeat: wishes.upbeat };
  return vary(() => ({ ...begin, meter, ...lane.wishes, ...wishes.lengthOf(wholeLength(primer?.events.length ?? 0, meter)) }));
}

/** Make bars of the melody anew, between those before and after, around those that are locked. */
function fill(first, last) {
  const { notes, meter, ends, locked } = history.present;
  const within = locked.filter((bar) => first <= bar && bar <= last);
  const isToTheEnd = last === barsOf(endOf(notes), stepsPerBar()) && !within.includes(last);
  return vary(() => ({
    primer: { events: eventsOf(notes), meter, ends },
    fill: [first, last],
    ...lane.wishes,
    ...(within.length ? { locked: within } : {}),
    ...(isToTheEnd ? { ending: wishes.ending !== "none" } : {}),
  }));
}

/** Variations in place of those that are there; `request()` gives what is asked for beside the wishes. */
async function vary(request) {
  const clicked = performance.now();
  try {
    await lane.read(); // what was written just now
    const asked = { ...wishes.read(), ...request() };
    const answer = await asking.ask(asked);
    if (!answer) return;
    let variations = variationsOf(answer, asked);
    if (wishes.beside) {
      const other = wishes.askedOf(wishes.beside, { ...asked, seed: answer.seed });
      const others = await asking.ask(other);
      if (!others) return;
      const theirs = variationsOf(others, other);
      variations = variations.flatMap((own, place) => [own, theirs[place]]); // two columns, the same draw in a row
    }
    player.stop();
    history.commit({ results: { variations } }, "these variations");
    wishes.showSeed(answer.seed);
    afterDrawing(() => tellTime(performance.now() - clicked, variations.length));
    // What was made should be seen.
    const { top } = resultList.section.getBoundingClientRect();
    if (top > innerHeight * 0.7) resultList.section.scrollIntoView({ block: "start", behavior: motion() });
  } catch (error) {
    report(error);
  }
}

function tellTime(milliseconds, count) {
  const results = resultList.section;
  results.dataset.milliseconds = milliseconds.toFixed(1);
  part("figures").textContent = `${Math.round(milliseconds)} ms`;
  say(count === 1 ? "One variation is ready." : `${count} variations are ready.`);
}

/**
 * Another rest for one variation, from a step on, with an event that was chosen for this step or without; or the same
 * and more. `length()` gives how much in all. Returns the card of what was made, or null.
 */
async function renew(variation, step, length, what, event = null) {
  const place = history.present.results.variations.indexOf(variation);
  const kept = [...variation.events.slice(0, step), ...(event === null ? [] : [event])];
  try {
    const primer = { events: kept, meter: variation.meter };
    const request = { ...wishes.read(), variations: 1, ...wishesOf(chordTextOf(variation)), ...length(), primer };
    // A locked seed goes on through its sequence, or the same would come again.
    if (request.seed !== null) request.draw = nextDraw(request);
    const answer = await asking.ask(request);
    if (!answer) return null;
    const { results } = history.present;
    if (results?.variations[place] !== variation) return null; // it has gone since
    player.stop();
    const original = step < variation.events.length ? variation.events : variation.original;
    const [renewed] = variationsOf(answer, request, { variation, step, event, original });
    const variations = results.variations.with(place, renewed);
    history.commit({ results: { variations } }, what);
    wishes.showSeed(answer.seed);
    const card = resultList.cards[place];
    card.roll.pin(step);
    card.roll.element.focus({ preventScroll: true });
    const which = request.seed === null ? "" : `, from seed ${answer.seed}, draw ${request.draw + 1}`;
    tell(`Variation ${place + 1}: ${what}${which}.`, { onundo: undo });
    return card;
  } catch (error) {
    report(error);
    return null;
  }
}

/** Which of a seed's melodies comes next: the first that was not made from the same request, undone ones included. */
function nextDraw(request) {
  const wanted = withoutDraw(request);
  const { past, present, future } = history.line;
  const states = [present, ...[...past, ...future].map((each) => each.state)];
  const made = new Set(states.flatMap((state) => state.results?.variations ?? []).map((each) => each.made));
  const same = [...made].filter((each) => each?.from && withoutDraw(each.request) === wanted);
  return Math.max(-1, ...same.map((each) => each.draw)) + 1;
}

function withoutDraw(request) {
  return JSON.stringify({ ...request, draw: undefined });
}

function change(variation, step) {
  if (!variation.events.slice(0, step).some((event) => event >= 0)) {
    return complain("Choose a later step: what is kept must hold a note.");
  }
  return renew(variation, step, () => lengthFrom(variation, step), "the rest is new");
}

/** Another event at a step, and how the melody goes on from it, to be heard at once. */
async function choose(variation, step, event) {
  const { events } = variation;
  const name = eventName(event, isSoundingBefore(events, step));
  if (step === events.length - 1) return complain("This is the last step: nothing would come after it. Choose an earlier one.");
  const card = await renew(variation, step, () => lengthFrom(variation, step + 1), `${name} instead, and a new rest`, event);
  card?.hear(step);
}

/** How long a variation is to be after a change from a step on. */
function lengthFrom({ events, meter, stepsPerBar: bar }, step) {
  if (wishes.ending === "none") return { num_steps: events.length };
  return wishes.lengthOf(wishes.ending === "last" ? barsOf(events.length, bar) : wholeLength(step, meter));
}

function proceed(variation) {
  const { length } = variation.events;
  return renew(variation, length, () => wishes.lengthOf(wholeLength(length, variation.meter)), "it goes on");
}

/** The same notes once more, from what made them. */
async function again(variation) {
  const { request, place, from } = variation.made;
  try {
    const answer = await asking.ask(request);
    if (!answer) return;
    player.stop();
    const { step, event } = from ?? {};
    const before = from && { variation: { ...variation, made: from.made }, step, event, original: variation.original };
    const variations = variationsOf(answer, request, before);
    history.commit({ results: { variations } }, "making the same again");
    const isSame = String(variations[place]?.events) === String(variation.events);
    const told = isSame
      ? `Variation ${place + 1} has the same notes again.`
      : `The model “${answer.model}” has changed since, so the notes are others.`;
    tell(told, { onundo: undo });
    resultList.section.scrollIntoView({ block: "start", behavior: motion() });
  } catch (error) {
    report(error);
  }
}

function report(error) {
  if (error instanceof api.ApiError || error instanceof RangeError) complain(error.message);
  else {
    complain("Something went wrong on this page. Reload it; nothing is lost.");
    console.error(error);
  }
}

// ---- what can be done with a result

async function save(blob, name) {
  try {
    download(await blob, name);
    tell(`Saved ${name}.`);
  } catch (error) {
    report(error);
  }
}

const actions = {
  again,
  report,
  stop: () => player.stop(),
  play: async (card, from) => {
    if (player.isPlaying(card.track)) return player.stop();
    if (card.variation.qpm) setTempo(card.variation.qpm);
    await player.play(card.track, from);
    card.showPlaying(true);
  },
  playOriginal: async (card) => {
    if (player.isPlaying(card.original)) return player.stop();
    await player.play(card.original, card.roll.step ?? 0);
    card.showOriginalPlaying(true);
  },
  use: (variation) =>
    useMelody(variation, variation.name ?? `variation ${1 + history.present.results.variations.indexOf(variation)}`),
  midi: (variation) =>
    save(api.midiOf([variation], variation.qpm ?? player.qpm, [fileNameOf(variation)], mixer.accompaniment), `${fileNameOf(variation)}.mid`),
  wav: (variation) => {
    const qpm = variation.qpm ?? player.qpm;
    const sound = { qpm, ...instrumentOf(player.voice), clicks: player.metronome, accompaniment: mixer.accompaniment };
    return save(api.wavOf(variation, sound), `${fileNameOf(variation)}.wav`);
  },
  score: ({ events, meter, chords, made, qpm = player.qpm, key = made?.request.key ?? null }) => ({ events, meter, chords, qpm, key }),
  saveScore: (variation, format, title = null) =>
    save(api.scoreOf({ ...actions.score(variation), title }, format), `${fileNameOf(variation)}.${format}`),
  share: async (variation) => {
    const { copyLink } = await links();
    tell(await copyLink({ qpm: player.qpm, ...variation }));
  },
  link: async (variation) => {
    const name = fileNameOf(variation);
    const blob = await api.midiOf([variation], variation.qpm ?? player.qpm, [name], mixer.accompaniment).catch(() => null);
    return blob && { name: `${name}.mid`, url: await dataUrl(blob) };
  },
};

const tools = new MelodyTools(part("melody-tools"), {
  melody: () => {
    const { notes, meter, ends } = history.present;
    const chords = melodyChords(endOf(notes));
    const text = history.present.chords;
    return { events: eventsOf(notes), meter, ends, chords, text, name: "melody", qpm: player.qpm, key: wishes.key };
  },
  actions,
  onplay: (step) => {
    player.stop();
    if (history.present.notes.length) playMelody(step);
  },
  report,
});

const resultList = new Results({ ...actions, star, change, choose, proceed }, (variation) => favorites.has(variation));
const favorites = new Favorites({ ...actions, remove: removeFavorite }, () => resultList.showStars());

async function star(variation) {
  const favorite = favorites.like(variation);
  if (favorite) return removeFavorite(favorite);
  if (await favorites.add(variation, { qpm: player.qpm })) return tell("Kept as a favorite.");
  return complain("The browser keeps nothing for this page, so the favorite goes when you leave. Save the session.");
}

function removeFavorite(favorite) {
  favorites.remove(favorite);
  history.commit({}, `taking out ${favorite.name}`, { removed: favorite });
  tell(`Took out ${favorite.name}.`, { onundo: undo });
}

function downloadAll() {
  const { variations } = history.present.results;
  const { model, seed } = variations[0].made;
  save(api.midiOf(variations, player.qpm, variations.map(fileNameOf), mixer.accompaniment), `${model}-${seed}.zip`);
}

// ---- a model of one's own tunes

let training = null;

/** What trains is loaded when it is asked for. */
async function openTraining(dropped = null) {
  try {
    const { Training } = await import("./training.js");
    training ??= new Training({ maxBytes: limits.max_upload_bytes, onlearned: playLearned, save });
    await training.open(dropped);
  } catch (error) {
    report(error);
  }
}

async function playLearned(model) {
  const chosen = wishes.settings;
  wishes.setUp(await api.fetchModels());
  wishes.restore({ ...chosen, model });
  followModel(wishes.model);
  session.changed();
  tell(`“${model}” has learned from your tunes, and is the model now.`);
}

// ---- controls

function motion() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
}

/** After the browser has drawn what was changed just now. */
function afterDrawing(then) {
  requestAnimationFrame(() => setTimeout(then));
}

function toggle(id, apply) {
  part(id).addEventListener("click", () => {
    press(part(id), !isPressed(part(id)));
    apply(isPressed(part(id)));
  });
}

function listen() {
  part("wishes").addEventListener("submit", (event) => {
    event.preventDefault();
    generate();
  });
  part("play").addEventListener("click", () => playMelody());
  part("undo").addEventListener("click", undo);
  part("redo").addEventListener("click", redo);
  part("clear").addEventListener("click", () => {
    player.stop();
    history.commit({ notes: [], ends: false, locked: [] }, "clearing the melody");
    tell("Cleared. An empty melody lets the model begin by itself.", { onundo: undo });
  });
  part("download-all").addEventListener("click", downloadAll);
  part("tempo").addEventListener("change", () => setTempo(part("tempo").valueAsNumber));
  part("tap-tempo").addEventListener("click", (event) => {
    const qpm = tapTempo.tap(event.timeStamp);
    if (qpm) setTempo(qpm * (meterOf(history.present.meter).stepsPerBeat / 4));
  });
  part("meter").addEventListener("change", () => history.commit({ meter: part("meter").value, locked: [] }, "the change of meter"));
  part("save-session").addEventListener("click", saveSession);
  part("voice").addEventListener("change", () => chooseVoice(part("voice").value));
  toggle("over", (isOn) => say(isOn ? "A recording goes over the melody." : "A recording replaces the melody."));
  toggle("loop", (isOn) => (player.loop = isOn));
  toggle("metronome", (isOn) => (player.metronome = isOn));
  toggle("erase", (isOn) => {
    roll.isErasing = isOn;
    part("roll").classList.toggle("is-erasing", isOn);
  });
  document.addEventListener("change", () => {
    session.changed();
    tools.staff.refresh(); // the key may be another
  });
  document.addEventListener("click", () => session.changed());
  listenForFiles(openFile, openTraining);
  part("show-training").addEventListener("click", () => openTraining());
  const place = part("roll");
  const isMelody = (event) => event.dataTransfer?.types.includes(DRAGGED);
  place.addEventListener("dragover", (event) => {
    if (!isMelody(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    place.classList.add("is-target");
  });
  place.addEventListener("dragleave", () => place.classList.remove("is-target"));
  place.addEventListener("drop", (event) => {
    place.classList.remove("is-target");
    if (!isMelody(event)) return;
    event.preventDefault();
    useMelody(JSON.parse(event.dataTransfer.getData(DRAGGED)), "what you dropped");
  });
  part("show-keys").addEventListener("click", () => part("keys").showModal());
  // A button that was clicked would take Space for another click when it goes up.
  document.addEventListener("keyup", (event) => {
    if (event.key === " " && !belongsToFocus(event.target, " ")) event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    const hasControl = event.ctrlKey || event.metaKey;
    const key = event.key.toLowerCase();
    if (key === "escape" && mixer.isOpen) return; // it closes that
    if (key === "escape") recording.isOn ? recording.stop() : player.stop();
    else if (hasControl && key === "enter") generate();
    else if (hasControl && key === "z" && !isTyping(event.target)) event.shiftKey ? redo() : undo();
    else if (hasControl && key === "y" && !isTyping(event.target)) redo();
    else if (key === "?" && !isTyping(event.target)) part("keys").showModal();
    else if (hasControl && !event.altKey && mayEdit(event)) roll.keyOnSelected(event);
    else if (hasControl || event.altKey || belongsToFocus(event.target, key)) return;
    else if (key === " ") event.repeat || playMelody();
    else if (recording.isOn || !roll.keyOnSelected(event)) return;
    if (key !== "escape") event.preventDefault();
  });
}

/** Whether Ctrl and a letter are about notes: not about a field, nor about text that is selected. */
function mayEdit(event) {
  const isText = isTyping(event.target) || event.target.closest?.("dialog") || !getSelection().isCollapsed;
  const letters = roll.hasCopy ? "acxvd" : "acxd"; // with no notes to paste, it may be a link
  return !isText && !recording.isOn && !event.shiftKey && letters.includes(event.key.toLowerCase());
}

async function begin() {
  part("meter").append(...METERS.map((name) => new Option(name, name)));
  for (const [label, names] of Object.entries({ Synthesized: VOICES, Recorded: RECORDED }))
    part("voice").append(html("optgroup", { label }, ...Object.keys(names).map((name) => new Option(name, name))));
  try {
    const asked = api.fetchModels();
    const kept = await session.load();
    const { notes, meter, qpm } = firstMelody();
    keptSettings = kept?.settings ?? { qpm };
    setTempo(Number(keptSettings.qpm));
    history.restore(kept?.line ?? { past: [], present: { notes, meter, ends: false, locked: [], chords: "", results: null }, future: [] });
    listen();
    const found = await asked;
    Object.assign(limits, found.limits);
    roll.maxSteps = limits.max_steps;
    marked.longest = limits.max_fill_bars;
    wishes.setUp(found);
    restoreSettings(keptSettings);
    keptSettings = null;
    roll.picture.center();
    await favorites.load();
    listenForLinks(openLink);
    part("version").textContent = `Ostinato ${found.version} · everything happens on this machine`;
    document.documentElement.dataset.ready = "true";
    const { state, yours } = await api.fetchLearning();
    if (state === "learning" && yours) openTraining();
  } catch (error) {
    report(error);
  }
}

begin();
