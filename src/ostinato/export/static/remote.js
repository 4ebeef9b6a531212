/** A model in a Web Worker, as the page holds it. */

/** The same as `Model`, but `generate` promises its melodies, and the page goes on meanwhile. */
export class RemoteModel {
  #worker;
  #waiting = new Map();
  #nextId = 0;

  constructor(worker) {
    this.#worker = worker;
    worker.onmessage = ({ data: { id, result, error } }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) resolve(result);
      else reject(new Error(error));
    };
    worker.onerror = (event) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(event.message || "the worker does not start"));
      this.#waiting.clear();
    };
  }

  /** Begin with the model at an address, or of bytes. */
  async load(source) {
    Object.assign(this, await this.#ask({ load: source instanceof URL ? source.href : source }));
    return this;
  }

  generate(options = {}) {
    return this.#ask({ generate: options });
  }

  /** End the worker. */
  close() {
    this.#worker.terminate();
  }

  #ask(message) {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, ...message });
    });
  }
}
