/**
 * One result: {events, stepsPerBar, meter, ends, given, explained}. `given` has [from, to] of each stretch of steps
 * that were not made, `explained`, for every step that was drawn, {event, probability, repeatSteps, candidates,
 * attention}.
 */

import { NOTE_OFF } from "./melody.js";

/** How a step came about; the legend, the colors and the patterns go by these names. */
export const KINDS = {
  given: "your melody",
  fresh: "new",
  bar: "repeats one bar ago",
  bars: "repeats two bars ago",
  far: "repeats an earlier passage",
};

/** The server's variations; the steps before `before.step` keep what was known of them. */
export function variationsOf(answer, before = null) {
  return answer.variations.map((one) => {
    const explained = [];
    if (before) for (let step = 0; step < before.step; step += 1) explained[step] = before.variation.explained[step];
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
      given: before ? givenBefore(before) : givenIn(one),
      explained,
    };
  });
}

/** What is the primer's: the beginning, and what follows bars that were filled. */
function givenIn({ events, primer_steps: first, kept_steps: last }) {
  return [
    [0, first],
    [events.length - last, events.length],
  ];
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
