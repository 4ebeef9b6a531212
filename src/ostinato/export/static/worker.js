/** Inside a Web Worker: a model that answers to `RemoteModel`. */

import { load } from "./model.js";

/** Answer to the messages {id, load} and {id, generate} that come to a worker. */
export function serve(scope) {
  let model = null;
  scope.onmessage = async ({ data: { id, load: source, generate: options } }) => {
    try {
      if (source !== undefined) {
        model = await load(source);
        const { name, description, card, canEnd, settings } = model;
        scope.postMessage({ id, result: { name, description, card, canEnd, settings } });
      } else {
        scope.postMessage({ id, result: model.generate(options) });
      }
    } catch (error) {
      scope.postMessage({ id, error: error.message });
    }
  };
}
