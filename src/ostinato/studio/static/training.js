/** A model of your own tunes: put them in, see what is in them, watch it learn, play it. */

import * as api from "./api.js";
import { button, html, svg } from "./elements.js";

const MUSIC = /\.(mid|midi|kar|smf|rmi|abc|musicxml|mxl|xml)$/i;
const POLL_MILLISECONDS = 1000;
const SHOWN = 8; // files that are named
const [WIDTH, HEIGHT, EDGE] = [360, 120, 6]; // of the curve

export class Training {
  #maxBytes;
  #onlearned;
  #save;
  #job = null; // what the server said last
  #timer = null;
  #upload = 0; // counts them, so that one that was stopped knows
  #tooLarge = [];
  #others = 0;

  /**
   * @param maxBytes of a file.
   * @param onlearned(name) called when a model has been trained; it resolves when the model can be played.
   * @param save(blob, name) downloads a blob that is promised.
   */
  constructor({ maxBytes, onlearned, save }) {
    this.#maxBytes = maxBytes;
    this.#onlearned = onlearned;
    this.#save = save;
    document.head.append(html("link", { rel: "stylesheet", href: new URL("training.css", import.meta.url) }));
    this.body = html("div", { class: "training-body" });
    this.said = html("p", { class: "hidden", role: "status" });
    this.wrong = html("p", { class: "training-wrong", role: "alert" });
    const close = button({ text: "Close", onclick: () => this.dialog.close() });
    this.dialog = html(
      "dialog",
      { id: "training", class: "training", "aria-labelledby": "training-title", onclose: () => this.#stopUpload() },
      html("h2", { id: "training-title" }, "Learn from your tunes"),
      this.body,
      this.wrong,
      this.said,
      html("div", { class: "training-foot" }, close),
    );
    document.body.append(this.dialog);
    // A folder is chosen with all that is in it.
    this.folder = html("input", { type: "file", webkitdirectory: true, hidden: true, id: "tune-folder" });
    this.files = html("input", { type: "file", multiple: true, hidden: true, id: "tune-files" });
    for (const input of [this.folder, this.files]) {
      input.addEventListener("change", () => {
        const chosen = [...input.files];
        input.value = "";
        if (chosen.length) this.#put(chosen);
      });
      this.dialog.append(input);
    }
  }

  /** Show how things stand, or take {entries, files} that were dropped. */
  async open(dropped = null) {
    if (!this.dialog.open) this.dialog.showModal();
    await this.#try(async () => {
      await this.#look();
      if (!dropped) return;
      if (this.#job.missing || this.#job.state === "learning") return;
      const { entries, files } = dropped;
      await this.#put(entries.length ? (await Promise.all(entries.map(filesIn))).flat() : files);
    });
  }

  async #try(work) {
    this.wrong.textContent = "";
    try {
      await work();
    } catch (error) {
      if (!(error instanceof api.ApiError || error instanceof DOMException)) throw error;
      this.wrong.textContent = sentence(error.message);
    }
  }

  /** Ask the server how it stands, and show that. */
  async #look() {
    clearTimeout(this.#timer);
    const before = this.#job;
    const job = (this.#job = await api.fetchLearning());
    if (job.state === "learning") {
      this.#timer = setTimeout(() => this.#try(() => this.#look()), POLL_MILLISECONDS);
      return this.#showJob(before?.state === "learning");
    }
    if (job.state === "done" && job.yours) {
      if (before?.state === "learning") await this.#onlearned(job.model);
      return this.#showDone();
    }
    this.#showChoice();
    if (job.state === "failed" && job.yours) this.wrong.textContent = sentence(`it did not learn: ${job.error}`);
    if (job.tunes) await this.#inspect();
  }

  // ---- the tunes

  #showChoice(...more) {
    if (this.#job.missing) return this.body.replaceChildren(html("p", {}, sentence(this.#job.missing)));
    this.body.replaceChildren(
      html(
        "p",
        { class: "note" },
        "Choose a folder of MIDI, MusicXML or ABC files, or drop it here. They stay on the studio’s machine, and are forgotten when the studio ends. Twenty tunes are a start; two hundred are better.",
      ),
      html(
        "div",
        { class: "training-row" },
        button({ text: "Choose a folder", icon: "open", onclick: () => this.folder.click() }),
        button({ text: "Choose files", onclick: () => this.files.click() }),
      ),
      ...more,
    );
  }

  async #put(chosen) {
    const music = chosen.filter((file) => MUSIC.test(file.name));
    const fitting = music.filter((file) => file.size <= this.#maxBytes);
    this.#others += chosen.length - music.length;
    this.#tooLarge.push(...music.filter((file) => file.size > this.#maxBytes).map((file) => file.name));
    const upload = ++this.#upload;
    const bar = html("progress", { max: fitting.length, value: 0, "aria-label": "Files that are in" });
    const count = html("span", {});
    const stop = button({ text: "Stop", onclick: () => this.#stopUpload() });
    this.#showChoice(html("div", { class: "training-row" }, bar, count, stop));
    await this.#try(async () => {
      if (!fitting.length) throw new api.ApiError("There is no MIDI, MusicXML or ABC file among these. Choose others");
      for (const [place, file] of fitting.entries()) {
        if (upload !== this.#upload) break;
        count.textContent = `${place} of ${fitting.length}`;
        bar.value = place;
        await api.putTune(file);
      }
    });
    const error = this.wrong.textContent;
    await this.#try(() => this.#look());
    if (error) this.wrong.textContent = error;
  }

  #stopUpload() {
    this.#upload += 1;
  }

  async #inspect() {
    this.#showChoice(html("p", { class: "note" }, "Looking at what is in the files …"));
    try {
      this.#showReport(await api.inspectTunes());
    } catch (error) {
      this.#showChoice(this.#again());
      throw error;
    }
  }

  #again() {
    const drop = async () => {
      await api.dropTunes();
      [this.#tooLarge, this.#others] = [[], 0];
      await this.#look();
    };
    return button({ text: "Take them all out", className: "is-quiet", onclick: () => this.#try(drop) });
  }

  #showReport({ files, read, tunes, melodies, held_out: heldOut, left_out: leftOut, skipped }) {
    const rows = [
      ["Files", read === files ? String(files) : `${read} of ${files} could be read`],
      ["Tunes in them", String(tunes)],
      ["Melodies to learn from", String(melodies - heldOut)],
      ["Melodies to measure on", String(heldOut)],
      ...leftOut.map(({ count, what }) => ["Left out or changed", `${count} ${what}`]),
      ...skipped.slice(0, SHOWN).map(({ file, reason }) => ["Not read", `${file}: ${reason}`]),
      ...this.#tooLarge.slice(0, SHOWN).map((name) => ["Not taken", `${name}: larger than ${this.#maxBytes >> 20} MiB`]),
    ];
    const more = Math.max(skipped.length - SHOWN, 0) + Math.max(this.#tooLarge.length - SHOWN, 0);
    if (more) rows.push(["Not read", `and ${more} more`]);
    if (this.#others) rows.push(["Not music", this.#others === 1 ? "1 other file" : `${this.#others} other files`]);
    const name = html("input", { id: "training-name", required: true, maxlength: 40, value: "my tunes", autocomplete: "off" });
    const minutes = html("input", { id: "training-minutes", type: "number", min: 1, max: 30, step: 1, value: 5, required: true });
    const begin = async () => {
      this.#job = await api.learn(name.value, minutes.valueAsNumber);
      await this.#look();
    };
    const form = html(
      "form",
      {
        class: "training-row",
        onsubmit: (event) => {
          event.preventDefault();
          this.#try(begin);
        },
      },
      html("label", { for: "training-name" }, "Name of the model"),
      name,
      html("label", { for: "training-minutes" }, "Minutes, at most"),
      minutes,
      html("button", { class: "button is-main" }, "Learn"),
    );
    const table = html(
      "table",
      { class: "training-table" },
      html("caption", { class: "hidden" }, "What is in your tunes"),
      html("tbody", {}, ...rows.map(([head, text]) => html("tr", {}, html("th", { scope: "row" }, head), html("td", {}, text)))),
    );
    this.#showChoice(table, form, this.#again());
    this.#say(`${melodies} melodies were found in ${read} files.`);
    name.focus();
    name.select();
  }

  // ---- learning

  #showJob(isOn) {
    const { yours, name, minutes, seconds, step, curve } = this.#job;
    if (!isOn || !this.figure?.isConnected) {
      this.figure = html("div", { class: "training-figure" });
      const told = yours
        ? `“${name}” is learning. You may close this and go on playing; it comes back when the page is loaded again.`
        : `Another browser is training a model here, “${name}”. One at a time can be; it takes ${minutes} minutes at most.`;
      const cancel = async () => {
        await api.cancelLearning();
        await this.#look();
        this.#say("Cancelled. Your tunes are still there.");
      };
      const row = yours ? [button({ text: "Cancel", onclick: () => this.#try(cancel) })] : [];
      this.body.replaceChildren(html("p", {}, told), this.figure, ...row);
      if (yours) this.#say(`${name} is learning.`);
      row[0]?.focus();
    }
    const time = `${clock(Math.min(seconds, minutes * 60))} of at most ${clock(minutes * 60)}`;
    const told = curve.length ? `${time}, step ${step}` : `${time}, getting ready`;
    this.figure.replaceChildren(curveOf(curve), html("p", { class: "note" }, told));
  }

  #showDone() {
    const { model, curve, bits_before: before, bits_after: after } = this.#job;
    const was = before === null ? "" : ` It was ${before.toFixed(3)} with the model that it began from.`;
    const forget = async () => {
      await api.cancelLearning();
      await this.#look();
    };
    const play = button({ text: "Play it", className: "is-main", onclick: () => this.#try(() => this.#play(model)) });
    const save = () => this.#save(api.bundleOf(model), `${model}.mag`);
    this.body.replaceChildren(
      html("p", {}, `“${model}” is ready to play.`),
      html("div", { class: "training-figure" }, curveOf(curve)),
      html("p", {}, after === null ? "" : `It needs ${after.toFixed(3)} bits a step for tunes that it has not seen; the fewer, the better.${was}`),
      html("p", { class: "note" }, "The studio forgets it when it ends. To keep it, save it, and start the studio with --bundle_file=FILE."),
      html(
        "div",
        { class: "training-row" },
        play,
        button({ text: "Save the model", icon: "down", onclick: save }),
        button({ text: "Train again", className: "is-quiet", onclick: () => this.#try(forget) }),
      ),
    );
    this.#say(`${model} is ready.`);
    if (this.dialog.open) play.focus();
  }

  async #play(model) {
    await this.#onlearned(model);
    this.dialog.close();
    document.getElementById("generate").focus();
  }

  #say(sentence) {
    this.said.textContent = sentence;
  }
}

/** The loss on held-out tunes as it falls, step by step. */
function curveOf(curve) {
  const losses = curve.map(([, loss]) => loss);
  const [low, high] = [Math.min(...losses), Math.max(...losses)];
  const last = curve.at(-1)?.[0] || 1;
  const x = (step) => EDGE + ((WIDTH - 2 * EDGE) * step) / last;
  const y = (loss) => EDGE + ((HEIGHT - 2 * EDGE) * (high - loss)) / (high - low || 1);
  const best = curve.find(([, loss]) => loss === low);
  const points = curve.map(([step, loss]) => `${x(step).toFixed(1)},${y(loss).toFixed(1)}`);
  const told = curve.length
    ? `Loss on tunes that it does not learn from: ${losses[0].toFixed(3)} at first, ${low.toFixed(3)} at best, ${losses.at(-1).toFixed(3)} at step ${last}`
    : "Loss on tunes that it does not learn from: not measured yet";
  const picture = svg(
    "svg",
    { class: "training-curve", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": told },
    svg("polyline", { points: points.join(" ") }),
  );
  if (best) picture.append(svg("circle", { cx: x(best[0]), cy: y(low), r: 3.5 }));
  return html("div", {}, picture, html("p", { class: "note", "aria-hidden": "true" }, told));
}

/** Of what the server says. */
function sentence(message) {
  return `${message[0].toUpperCase()}${message.slice(1)}${/[.?!]$/.test(message) ? "" : "."}`;
}

function clock(seconds) {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}

/** The files of something that was dropped, those in its folders too. */
async function filesIn(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    // It gives a hundred at a time.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    for (const each of some) found.push(...(await filesIn(each)));
  }
}
