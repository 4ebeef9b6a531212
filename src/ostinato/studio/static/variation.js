/**
 * One result: {events, stepsPerBar, meter, ends, chords, given, explained, original, surprise, made}. `chords` is a
 * track, or is not there where an earlier studio made it: see chords.js. `given` has [from, to] of
 * each stretch of steps that were not made, `explained`, for every step that was drawn, {event, probability,
 * repeatSteps, candidates, attention}. `original` are the events that were there before a change, or null; `surprise`
 * is how many bits a new step is worth to the model. `made` is what it takes to make the same again: {model, seed,
 * draw, place, request, from}, the request that was sent, with its seed; which of the seed's melodies this is; its
 * place in the answer; and for one that was changed {step, event, made}: from which step on, the event that was chosen
 * for this step or null, and what made the steps before.
 */

import { isTrack } from "./chords.js";
import { NOTE_OFF, eventName, firstBarOf, isMeter, meterOf, notesOf, placeName } from "./melody.js";

/** How a step came about; the legend, the colors and the patterns go by these names. */
export const KINDS = {
  given: "your melody",
  fresh: "new",
  bar: "repeats one bar ago",
  bars: "repeats two bars ago",
  far: "repeats an earlier passage",
};

/** The server's variations of a request; after a change, the steps before `before.step` keep what was known of them. */
export function variationsOf(answer, request, before = null) {
  const { model, seed } = answer;
  const asked = { ...request, model, seed };
  return answer.variations.map((one, place) => {
    const explained = [];
    if (before) for (let step = 0; step < before.step; step += 1) explained[step] = before.variation.explained[step];
    if (before?.event != null) explained[before.step] = chosen(before);
    (one.steps ?? []).forEach((drawn, row) => {
      explained[drawn.step] = {
        event: drawn.event,
        probability: drawn.probability,
        repeatSteps: drawn.repeat_steps,
        candidates: drawn.candidates,
        attention: one.attention?.[row] ?? null,
      };
    });
    return {
      events: one.events,
      stepsPerBar: answer.steps_per_bar,
      meter: answer.meter,
      ends: one.ends,
      chords: one.chords,
      given: before ? givenBefore(before) : givenIn(one, answer.steps_per_bar, request),
      explained,
      original: before ? before.original : request.fill ? request.primer.events : null,
      surprise: surpriseOf(one),
      made: {
        model,
        seed,
        draw: (request.draw ?? 0) + place,
        place,
        request: asked,
        from: before && { step: before.step, event: before.event ?? null, made: before.variation.made ?? null },
      },
    };
  });
}

/** What is known of an event that a person chose among those that could have come. */
function chosen({ variation, step, event }) {
  const drawn = variation.explained[step];
  const known = drawn?.candidates.find(([candidate]) => candidate === event);
  return drawn && { ...drawn, event, probability: known?.[1] ?? 0, repeatSteps: null };
}

function surpriseOf({ events, log_likelihood: logLikelihood, primer_steps: first, kept_steps: last }) {
  return -logLikelihood / Math.LN2 / Math.max(events.length - first - last, 1);
}

/** The notes of its original that are not in it as they were, and how many of its own are new instead. */
export function differences({ events, original }) {
  if (!original) return { gone: [], fresh: 0 };
  const key = ({ pitch, start, length }) => `${pitch} ${start} ${length}`;
  const [now, before] = [notesOf(events), notesOf(original)];
  const [nowKeys, beforeKeys] = [now, before].map((notes) => new Set(notes.map(key)));
  return {
    gone: before.filter((note) => !nowKeys.has(key(note))),
    fresh: now.filter((note) => !beforeKeys.has(key(note))).length,
  };
}

/** "ostinato · seed 7", and where it was changed. */
export function sourceOf({ made, events, meter, source = "" }) {
  if (!made) return source;
  const seed = made.from && made.draw ? `seed ${made.seed}, draw ${made.draw + 1}` : `seed ${made.seed}`;
  const { step, event } = made.from ?? {};
  const by = event == null ? "" : `, with ${eventName(event, true)}`;
  const from = made.from ? ` · new from ${placeName(step, meter, firstBarOf(events, meter))}${by}` : "";
  return `${made.model} · ${seed}${from}`;
}

/** What else it was made with, in words. */
export function settingsOf({ made, events, meter }) {
  if (!made) return "";
  const { temperature = 1, key = null, top_k: topK = 0, top_p: topP = 1, fill = null, locked = [], chords } = made.request;
  const shift = firstBarOf(events, meter) - 1;
  const numbers = locked.map((bar) => bar + shift);
  return [
    `temperature ${temperature}`,
    ...(key ? [`key ${key}`] : []),
    ...(topK ? [`top-k ${topK}`] : []),
    ...(topP < 1 ? [`top-p ${topP}`] : []),
    ...(chords ? [`chords ${chords}`, `chord strength ${made.request.chord_strength}`] : []),
    ...(fill ? [`bars ${fill[0] + shift} to ${fill[1] + shift} made anew`] : []),
    ...(locked.length ? [`${locked.length === 1 ? "bar" : "bars"} ${numbers.join(", ")} locked`] : []),
  ].join(", ");
}

/** The name of its file, without an ending. */
export function fileNameOf({ made, stepsPerBar, events, meter, name }) {
  if (!made) return `ostinato-${(name ?? "melody").toLowerCase().replaceAll(" ", "-")}`;
  const { model, seed, draw, from } = made;
  const bar = from && Math.floor(from.step / stepsPerBar) + firstBarOf(events, meter);
  return `${model}-${seed}-${draw + 1}${from ? `-from-bar-${bar}` : ""}`;
}

/** Whether something that was kept is one. */
export function isVariation(value) {
  return (
    isListOf(value?.events, isEvent) &&
    value.events.length > 0 &&
    isMeter(value.meter) &&
    value.stepsPerBar === meterOf(value.meter).stepsPerBar &&
    isListOf(value.given, (span) => isListOf(span, Number.isInteger) && span.length === 2) &&
    isListOf(value.explained, isExplained) &&
    (value.chords == null || isTrack(value.chords)) &&
    (value.original == null || isListOf(value.original, isEvent)) &&
    (value.surprise == null || Number.isFinite(value.surprise)) &&
    (!value.made || isMade(value.made))
  );
}

function isEvent(event) {
  return Number.isInteger(event) && event >= -2 && event <= 127;
}

function isListOf(value, isOne) {
  return Array.isArray(value) && value.every(isOne);
}

function isExplained(drawn) {
  if (!drawn) return drawn === null || drawn === undefined; // a step that was given
  return (
    isEvent(drawn.event) &&
    Number.isFinite(drawn.probability) &&
    (drawn.repeatSteps === null || Number.isInteger(drawn.repeatSteps)) &&
    isListOf(drawn.candidates, (each) => isListOf(each, Number.isFinite) && each.length === 2) &&
    (drawn.attention === null || isListOf(drawn.attention, Number.isFinite))
  );
}

function isMade(made) {
  return (
    typeof made?.model === "string" &&
    [made.seed, made.draw, made.place].every((each) => Number.isSafeInteger(each) && each >= 0) &&
    typeof made.request === "object" &&
    made.request !== null &&
    (made.from === null || isFrom(made.from))
  );
}

function isFrom(from) {
  const { step, event, made } = from ?? {};
  return Number.isInteger(step) && (event == null || isEvent(event)) && (made === null || isMade(made));
}

/** What is the primer's: the beginning, what is locked among the bars that were filled, and what follows them. */
function givenIn({ events, primer_steps: first, kept_steps: last }, bar, { locked = [] }) {
  return [[0, first], ...locked.map((each) => [(each - 1) * bar, each * bar]), [events.length - last, events.length]];
}

function givenBefore({ variation, step }) {
  return variation.given.map((span) => span.map((edge) => Math.min(edge, step)));
}

export function isGiven({ given }, step) {
  return given.some(([from, to]) => from <= step && step < to);
}

export function kindOf(variation, step) {
  if (isGiven(variation, step)) return "given";
  const repeat = variation.explained[step]?.repeatSteps;
  if (!repeat) return "fresh";
  if (repeat === variation.stepsPerBar) return "bar";
  return repeat === 2 * variation.stepsPerBar ? "bars" : "far";
}

/** The note that the model itself held least likely: a place worth a look. Null where nothing was drawn. */
export function boldestStep({ explained }) {
  let boldest = null;
  explained.forEach((drawn, step) => {
    if (drawn?.event >= 0 && !(explained[boldest]?.probability <= drawn.probability)) boldest = step;
  });
  return boldest;
}

/** Whether a note goes on into this step. */
export function isSoundingBefore(events, step) {
  for (let before = step - 1; before >= 0; before -= 1) {
    if (events[before] >= 0) return true;
    if (events[before] === NOTE_OFF) return false;
  }
  return false;
}
