/** Why a step is what it is: how probable the model found it, and what could have come instead. */

import { html } from "./elements.js";
import { eventName, firstBarOf, placeName } from "./melody.js";
import { capital } from "./messages.js";
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
  /** `onchange(step)` asks for another continuation from a step, `onchoose(step, event)` for one after another event. */
  constructor(variation, onchange, onchoose) {
    this.onchoose = onchoose;
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

  /** Press one of the candidates, counted from 0; whether there is one. */
  press(place) {
    const found = this.candidates.hidden ? null : this.candidates.children[place]?.firstChild;
    found?.click();
    return Boolean(found);
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
        const name = eventName(event, isSounding);
        const isDrawn = event === drawn.event;
        const label = isDrawn ? `${name}: hear it` : `${name} instead: hear how it goes on`;
        return html(
          "li",
          {},
          html(
            "button",
            {
              type: "button",
              tabindex: "-1", // the keys 1 to 5 on the roll press it
              class: isDrawn ? "is-drawn" : null,
              title: capital(label),
              "aria-label": `${label}, ${percent(probability)}`,
              onclick: () => this.onchoose(step, event),
            },
            html("span", { class: "why-name" }, name),
            html("span", { class: "why-share" }, percent(probability)),
            bar,
          ),
        );
      }),
    );
  }
}
