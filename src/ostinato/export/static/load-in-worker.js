/** Read a model in a Web Worker, so that the page goes on while melodies are made. */
export function loadInWorker(source, workerUrl = new URL("./ostinato-worker.js", import.meta.url)) {
  const where = source instanceof ArrayBuffer ? source : new URL(source, globalThis.location?.href);
  return new RemoteModel(new Worker(workerUrl, { type: "module" })).load(where);
}
