/** Asking the model: one request at a time, a new one ends the one under way. */

import { generate } from "./api.js";

export class Asking {
  #underWay = null;
  #button;

  /** `button` shows that a request is under way. */
  constructor(button) {
    this.#button = button;
  }

  /** The answer; null if another request came between. */
  async ask(request) {
    this.#underWay?.abort();
    const own = (this.#underWay = new AbortController());
    this.#button.setAttribute("aria-busy", "true");
    try {
      return await generate(request, own.signal);
    } catch (error) {
      if (error.name === "AbortError") return null;
      throw error;
    } finally {
      if (this.#underWay === own) {
        this.#underWay = null;
        this.#button.removeAttribute("aria-busy");
      }
    }
  }
}
