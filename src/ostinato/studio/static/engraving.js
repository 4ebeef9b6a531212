/** Notation drawn from ABC by abcjs (abcjs.net, in the folder abcjs), and where in it each step is. */

import { html, svg } from "./elements.js";
import { meterOf } from "./melody.js";

const ABCJS = new URL("abcjs/abcjs-basic-6.7.2.js", import.meta.url);
const STEPS_PER_WHOLE = 16;
const MODES = { "": "major", m: "minor", dor: "Dorian", phr: "Phrygian", lyd: "Lydian", mix: "Mixolydian", loc: "Locrian" };
const LEAST_SPACING = 1.5; // of notes, as abcjs counts it
const WIDEST_SPACING = 2.8;
const HEAD = 5; // half a note head's width
const STAFF = 31; // its height, from the first line to the last
const AROUND = 14; // what the playhead is longer than that, above and below

let loading = null;

/** What draws; loaded with the first melody that is shown. */
export function loadEngraver() {
  loading ??= new Promise((resolve, reject) => {
    const onerror = () => {
      loading = null;
      reject(new RangeError("The notation cannot be drawn, as its program did not load. Reload the page."));
    };
    document.head.append(html("script", { src: ABCJS, onload: () => resolve(window.ABCJS), onerror }));
  });
  return loading;
}

export class Engraving {
  #signs = []; // notes and rests, {step, length, line, x, element}
  #lines = []; // {group, top, right}
  #sounding = null;

  /**
   * Draw a melody in place of what is there.
   *
   * @param engraver abcjs.
   * @param abc one tune of one voice, as the server writes it.
   * @param place an element of the page.
   * @param width of the lines, in pixels.
   * @param meter such as "6/8".
   * @param isLow whether it is written in the bass clef.
   */
  constructor(engraver, abc, { place, width, meter, isLow }) {
    Object.assign(this, { width, meter });
    const [tune] = engraver.renderAbc(place, asDrawn(abc, isLow), {
      staffwidth: width - 1, // the line at the end is wider than it is told to be
      wrap: { minSpacing: LEAST_SPACING, maxSpacing: WIDEST_SPACING, preferredMeasuresPerLine: 4 },
      add_classes: true,
      selectTypes: false,
      ariaLabel: "",
      format: { tempofont: "Georgia,serif 11" },
      ...{ paddingleft: 0, paddingright: 0, paddingtop: 8, paddingbottom: 8 },
    });
    this.picture = place.querySelector("svg");
    const groups = this.picture.querySelectorAll(".abcjs-staff-wrapper");
    const bars = [{ signs: [] }];
    const voices = tune.lines.flatMap(({ staff }) => (staff ? [staff[0].voices[0]] : []));
    voices.forEach((voice, line) => {
      const group = groups[line];
      this.#lines.push({ group, top: group.querySelector(".abcjs-staff").getBBox().y, right: width });
      bars.at(-1).barLine = null;
      for (const { el_type: kind, duration, rest, abselem } of voice) {
        const { x, elemset } = abselem ?? {};
        if (kind === "note") {
          const length = Math.round(duration * STEPS_PER_WHOLE);
          bars.at(-1).signs.push({ length, line, x, element: elemset[0], isRest: Boolean(rest) });
        } else if (kind === "bar") {
          this.#lines[line].right = x;
          bars.push({ barLine: x, signs: [] });
        }
      }
    });
    bars.pop(); // after the last bar line
    // The first bar is written without the silence before an upbeat.
    let step = meterOf(meter).stepsPerBar - bars[0].signs.reduce((sum, { length }) => sum + length, 0);
    const hasUpbeat = step > 0;
    bars.forEach(({ barLine, signs }, place) => {
      if (place || !hasUpbeat) this.#number(place + !hasUpbeat, signs[0].line, barLine);
      for (const sign of signs) {
        this.#signs.push({ ...sign, step });
        step += sign.length;
      }
    });
    const count = bars.length - hasUpbeat;
    const length = `${count === 1 ? "1 bar" : `${count} bars`} of ${meter} in ${keyOf(abc)}`;
    this.description = hasUpbeat ? `${length}, with an upbeat` : length;
  }

  /** Where a step, or a fraction of one, is: {x, top, height, sign}, the sign that sounds then. */
  placeOf(step) {
    const number = Math.max(this.#signs.findLastIndex((sign) => sign.step <= step), 0);
    const sign = this.#signs[number];
    const next = this.#signs[number + 1];
    const end = next?.line === sign.line ? next.x + HEAD : this.#lines[sign.line].right;
    const share = Math.min(Math.max((step - sign.step) / sign.length, 0), 1);
    const begin = sign.x + HEAD;
    return {
      x: begin + share * (end - begin),
      top: this.#lines[sign.line].top - AROUND,
      height: STAFF + 2 * AROUND,
      sign,
    };
  }

  /** The step of the sign that is at a place, or the last before it in its line. */
  stepAt(x, y) {
    const away = this.#lines.map(({ top }) => Math.abs(top + STAFF / 2 - y));
    const line = away.indexOf(Math.min(...away));
    const signs = this.#signs.filter((sign) => sign.line === line);
    return (signs.findLast((sign) => sign.x <= x) ?? signs[0]).step;
  }

  /** Color the note that sounds. */
  showSounding(sign) {
    const element = sign && !sign.isRest ? sign.element : null;
    if (element === this.#sounding) return;
    this.#sounding?.classList.remove("is-sounding");
    element?.classList.add("is-sounding");
    this.#sounding = element;
  }

  /** A picture of each line by itself, so that none is cut where a page ends. */
  lines() {
    return this.#lines.map(({ group }) => {
      const { y, height } = group.getBBox();
      const [top, tall] = [Math.floor(y) - 6, Math.ceil(height) + 12];
      const size = { viewBox: `0 ${top} ${this.width} ${tall}`, width: this.width, height: tall };
      return svg("svg", { fill: "currentColor", stroke: "currentColor", ...size }, group);
    });
  }

  /** A bar's number, over the bar line where it begins or over the clef. */
  #number(number, line, barLine) {
    const { group, top } = this.#lines[line];
    const place = barLine === null ? { x: 2, y: top - 18 } : { x: barLine, y: top - 6, "text-anchor": "middle" };
    group.append(svg("text", { class: "staff-number", stroke: "none", ...place }, `${number}`));
  }
}

/** The ABC as abcjs takes it: with the clef that the server leaves out, and a tempo's fraction, which would be cut off. */
function asDrawn(abc, isLow) {
  const withTempo = abc.replace(/^Q:1\/4=(\d+\.\d+)$/m, 'Q:"♩ = $1"');
  return isLow ? withTempo.replace(/^K:.*$/m, "$& clef=bass") : withTempo;
}

/** "D major", "B♭ Dorian". */
function keyOf(abc) {
  const [, tonic, mode] = /^K:([A-G][#b]?)(.*)$/m.exec(abc);
  return `${tonic.replace("#", "♯").replace("b", "♭")} ${MODES[mode]}`;
}
