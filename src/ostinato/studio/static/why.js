/** Why a step is what it is: how probable the model found it, and what could have come instead. */

import { html } from "./elements.js";
import { eventName, firstBarOf, placeName } from "./melody.js";
import { boldestStep, isGiven, isSoundingBefore, kindOf } from "./variation.js";

const CANDIDATES = 5;
const BAR_COUNTS = ["", "one", "two", "three", "four"];

function percent(probability) {
  const whole = Math.round(100 * probability);
  if (whole === 0 && probability > 0) return "<1\u00a0%";
  if (whole === 100 && probability < 1) return ">99\u00a0%";
  return `${whole}\u00a0%`;
}

/** What there is to say of a step. */
export function explain(variation, step) {
  const name = eventName(variation.events[step], isSoundingBefore(variation.events, step));
  const { events, meter } = variation;
  const told = `${placeName(step, meter, firstBarOf(events, meter))}: ${name}`;
  const drawn = variation.explained[step];
  if (isGiven(variation, step)) return `${told}, from your melody`;
  return drawn ? `${told}, ${percent(drawn.probability)} likely${repeatWords(variation, step)}` : told;
}

function repeatWords(variation, step) {
  if (!["bar", "bars", "far"].includes(kindOf(variation, step))) return "";
  const { repeatSteps } = variation.explained[step];
  const bars = repeatSteps / variation.stepsPerBar;
  if (!Number.isInteger(bars)) return `, repeated from ${repeatSteps} sixteenths ago`;
  return `, repeated from ${BAR_COUNTS[bars] ?? bars} bar${bars === 1 ? "" : "s"} ago`;
}

/** The likeliest events, and always the one that was drawn. */
function candidatesOf({ event, probability, candidates }) {
  if (candidates.some(([candidate]) => candidate === event)) return candidates.slice(0, CANDIDATES);
  return [...candidates.slice(0, CANDIDATES - 1), [event, probability]];
}

/** The same for a screen reader, with the other candidates. */
export function explainAloud(variation, step) {
  const drawn = variation.explained[step];
  if (!drawn || isGiven(variation, step)) return explain(variation, step);
  const isSounding = isSoundingBefore(variation.events, step);
  const others = drawn.candidates.filter(([event]) => event !== drawn.event);
  const words = others.map(([event, probability]) => `${eventName(event, isSounding)} ${percent(probability)}`);
  return `${explain(variation, step)}. Instead: ${words.join(", ")}`;
}

/** The panel under a result. */
export class WhyPanel {
  /** `onchange(step)` asks for another continuation from a step. */
  constructor(variation, onchange) {
    this.sentence = html("p", { class: "why-sentence" });
    this.candidates = html("ul", { class: "why-candidates", "aria-label": "What could have come at this step" });
    this.change = html(
      "button",
      { type: "button", class: "button is-quiet why-change", onclick: () => onchange(this.step) },
      "Change from here",
    );
    this.element = html(
      "div",
      { class: "why" },
      html("div", { class: "why-head" }, this.sentence, this.change),
      this.candidates,
    );
    this.show(variation, null);
  }

  /** Explain a step; where none is looked at, the boldest one. */
  show(variation, looked) {
    const step = looked ?? boldestStep(variation);
    this.step = step;
    this.change.hidden = step === null || step === 0;
    this.candidates.hidden = true;
    this.element.classList.toggle("is-empty", step === null);
    if (step === null) {
      this.sentence.textContent = "Nothing here was drawn by the model.";
      return;
    }
    const sentence = explain(variation, step);
    this.sentence.textContent = looked === null ? `Boldest step: ${sentence}` : capital(sentence);
    const drawn = variation.explained[step];
    if (!drawn || isGiven(variation, step)) return;
    const isSounding = isSoundingBefore(variation.events, step);
    this.candidates.hidden = false;
    this.candidates.replaceChildren(
      ...candidatesOf(drawn).map(([event, probability]) => {
        const bar = html("span", { class: "why-bar" });
        bar.style.inlineSize = `${Math.max(100 * probability, 1.5)}%`;
        return html(
          "li",
          { class: event === drawn.event ? "is-drawn" : null },
          html("span", { class: "why-name" }, eventName(event, isSounding)),
          html("span", { class: "why-share" }, percent(probability)),
          bar,
        );
      }),
    );
  }
}

function capital(words) {
  return words[0].toUpperCase() + words.slice(1);
}
