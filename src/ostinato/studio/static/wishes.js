/** What is asked of the model: the form below the roll. */

import { html, isPressed, press } from "./elements.js";
import { onPaper } from "./keys.js";

const TONICS = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"];
const MOST_SEED = 2 ** 53 - 1;

/** What each choice of an ending comes to. */
const ENDINGS = {
  last: "The last bar brings each melody to its end.",
  itself: "Each ends where the model ends it, within the new bars.",
  none: "Each stops at the last bar line, as if it went on.",
};

const KEPT = ["model", "beside", "bars", "variations", "temperature", "seed", "tonic", "mode", "top-k", "top-p", "upbeat", "chord-strength"];

const field = (id) => document.getElementById(id);

export class Wishes {
  models = [];
  modes = {}; // name -> the scale in semitones above the tonic
  #ending = "last"; // what was chosen, also while a model cannot do it

  /** `onmodel(model)` is called when another model is chosen, `onkey()` when another key is. */
  constructor(onmodel, onkey) {
    const tonic = field("tonic");
    tonic.append(new Option("Any key", ""), ...TONICS.map((name) => new Option(onPaper(name), name)));
    tonic.addEventListener("change", () => (field("mode").disabled = !tonic.value));
    for (const each of [tonic, field("mode")]) each.addEventListener("change", onkey);
    const [slider, number] = [field("temperature-slider"), field("temperature")];
    slider.addEventListener("input", () => (number.value = slider.value));
    number.addEventListener("input", () => (slider.value = number.value));
    const lock = field("seed-lock");
    lock.addEventListener("click", () => press(lock, !isPressed(lock)));
    // Who writes a seed means it.
    field("seed").addEventListener("input", () => press(lock, field("seed").value.trim() !== ""));
    field("ending").addEventListener("change", () => {
      this.#ending = field("ending").value;
      this.#showEnding();
    });
    field("model").addEventListener("change", () => {
      this.#showModel();
      onmodel(this.model);
    });
  }

  /** Fill the form with what the server has. */
  setUp({ models, modes, limits }) {
    this.models = models;
    this.modes = modes;
    field("mode").replaceChildren(...Object.keys(modes).map((name) => new Option(name, name)));
    field("model").replaceChildren(
      ...models.map((model) => html("option", { value: model.name, selected: model.default }, model.name)),
    );
    const none = new Option("No other model", "");
    field("beside").replaceChildren(none, ...models.map((model) => new Option(model.name, model.name)));
    field("bars").max = limits.max_bars;
    field("variations").max = limits.max_variations;
    this.#showModel();
  }

  /** All that the form says, to be kept; `restore` puts it there again. */
  get settings() {
    const values = Object.fromEntries(KEPT.map((id) => [id, field(id).value]));
    const { open } = document.querySelector(".more");
    return { ...values, ending: this.#ending, "seed-lock": isPressed(field("seed-lock")), more: open };
  }

  /** Fill the form as it was; what is not there any more stays as it is. Returns the name of a model that is gone. */
  restore(settings) {
    for (const id of KEPT) {
      const { [id]: value } = settings;
      const input = field(id);
      if (typeof value !== "string") continue;
      if (!input.options || [...input.options].some((option) => option.value === value)) input.value = value;
    }
    if (Object.hasOwn(ENDINGS, settings.ending)) this.#ending = settings.ending;
    press(field("seed-lock"), settings["seed-lock"] === true);
    field("mode").disabled = !field("tonic").value;
    field("temperature-slider").value = field("temperature").value;
    document.querySelector(".more").open = settings.more === true;
    this.#showModel();
    const { model } = settings;
    return typeof model === "string" && model && model !== field("model").value ? model : null;
  }

  get model() {
    return this.models.find((model) => model.name === field("model").value) ?? null;
  }

  /** The notes of the key that was chosen, {tonic, pitchClasses}, or null. */
  get scale() {
    const index = TONICS.indexOf(field("tonic").value);
    const scale = this.modes[field("mode").value];
    if (index < 0 || !scale) return null;
    return { tonic: index, pitchClasses: scale.map((step) => (index + step) % 12) };
  }

  /** The model whose melodies are shown beside those of the chosen one, or null. */
  get beside() {
    const { value } = field("beside");
    return value === field("model").value ? null : (this.models.find((model) => model.name === value) ?? null);
  }

  /** The same request of another model, which may not know how to end. */
  askedOf(model, request) {
    const ends = model.foretells_end || request.fill ? {} : { ending: false, until_end: false };
    return { ...request, model: model.name, ...ends };
  }

  get bars() {
    return numberIn("bars");
  }

  /** How the melodies end: in their last bar, where the model ends them by itself, or not at all. */
  get ending() {
    return field("ending").value;
  }

  /** Whether melodies without a primer begin with an upbeat; null for as many as tunes of the model do. */
  get upbeat() {
    return { always: true, never: false }[field("upbeat").value] ?? null;
  }

  /** The name of the key that was chosen, null for any. */
  get key() {
    const tonic = field("tonic").value;
    return tonic ? `${tonic} ${field("mode").value}` : null;
  }

  /** The part of a request that is about how long melodies of so many bars are, and how they end. */
  lengthOf(bars) {
    if (this.ending === "itself") return { num_bars: bars, until_end: true };
    return { num_bars: bars, ending: this.ending === "last" };
  }

  /** The part of a request that the form decides; a sentence is thrown where a field is wrong. */
  read() {
    const wishes = {
      model: field("model").value || null,
      variations: checked("variations", "the number of variations"),
      temperature: checked("temperature", "the temperature"),
      top_k: checked("top-k", "top-k"),
      top_p: checked("top-p", "top-p"),
      key: this.key,
      seed: isPressed(field("seed-lock")) ? seedIn(field("seed")) : null,
    };
    checked("bars", "the number of new bars");
    return wishes;
  }

  /** The seed of what came back; it is used again only if it is locked. */
  showSeed(seed) {
    field("seed").value = seed;
  }

  #showModel() {
    field("model-note").textContent = this.model?.description ?? "";
    this.#showEnding();
  }

  #showEnding() {
    const canEnd = Boolean(this.model?.foretells_end);
    field("ending").disabled = !canEnd;
    field("ending").value = canEnd ? this.#ending : "none";
    field("ending-note").textContent = canEnd ? ENDINGS[this.ending] : "This model has not learned where tunes end.";
  }
}

function numberIn(id) {
  return Number(field(id).value);
}

function checked(id, name) {
  const input = field(id);
  const value = input.valueAsNumber;
  const isWhole = input.step === "1";
  const isRight = value >= Number(input.min) && value <= Number(input.max) && (!isWhole || Number.isInteger(value));
  input.setAttribute("aria-invalid", String(!isRight));
  if (isRight) return value;
  input.closest("details")?.setAttribute("open", "");
  input.focus();
  throw new RangeError(
    `Please make ${name} ${isWhole ? "a whole number" : "a number"} from ${input.min} to ${input.max}.`,
  );
}

function seedIn(input) {
  const text = input.value.trim();
  if (text === "") return null;
  const seed = Number(text);
  if (/^\d+$/.test(text) && seed <= MOST_SEED) return seed;
  input.focus();
  throw new RangeError(`Please make the seed a whole number from 0 to ${MOST_SEED}, or leave it empty.`);
}
