/** Asking the model: one request at a time, a new one ends the one under way; meanwhile the page says whose turn it is. */

import { fetchQueue, generate } from "./api.js";
import { say } from "./messages.js";

const LOOK_EVERY = 700; // milliseconds; most answers are there before the first look

export class Asking {
  #underWay = null;
  #button;
  #note;

  /** `button` shows that a request is under way, `note` how many others come first. */
  constructor(button, note) {
    this.#button = button;
    this.#note = note;
  }

  /** The answer; null if another request came between. */
  async ask(request) {
    this.#underWay?.abort();
    const own = (this.#underWay = new AbortController());
    this.#button.setAttribute("aria-busy", "true");
    const looking = setInterval(() => this.#look(own), LOOK_EVERY);
    try {
      return await generate(request, own.signal);
    } catch (error) {
      if (error.name === "AbortError") return null;
      throw error;
    } finally {
      clearInterval(looking);
      if (this.#underWay === own) {
        this.#underWay = null;
        this.#button.removeAttribute("aria-busy");
        this.#note.hidden = true;
      }
    }
  }

  async #look(own) {
    const queue = await fetchQueue().catch(() => null); // the request itself tells what is wrong
    if (this.#underWay !== own || queue?.ahead == null) return;
    if (this.#note.hidden && queue.ahead) say(placeInQueue(queue));
    this.#note.textContent = placeInQueue(queue);
    this.#note.hidden = false;
  }
}

/** "3 requests are before yours, about 2 seconds." */
export function placeInQueue({ ahead, seconds }) {
  if (!ahead) return "Yours is being made.";
  const others = ahead === 1 ? "One request is before yours" : `${ahead} requests are before yours`;
  const whole = Math.max(Math.ceil(seconds), 1);
  return `${others}, about ${whole === 1 ? "a second" : `${whole} seconds`}.`;
}
