/**
 * Links that hold a melody. It is all in the fragment, which a browser sends to no server:
 *
 *     #melody=1/6/8/97.5/AT2BAD8
 *
 * or, with chords,
 *
 *     #melody=2/6/8/97.5/AT2BAD8/C%20%7C%20G7
 *
 * has the version of this form, the meter, the tempo in quarter notes a minute, and bytes in base64url. The first byte
 * is 1 if the tune ends with the melody, else 0. Then a byte is 0 where a note ends, 1 to 128 where pitch 0 to 127
 * starts, and 129 to 255 are 1 to 127 steps on which nothing changes. The chords are a text: see chords.js.
 */

import { chordTextOf } from "./chords.js";
import { LINK } from "./files.js";
import { NOTE_OFF, NO_EVENT, isMeter, meterOf } from "./melody.js";

const VERSION = "1";
const WITH_CHORDS = "2";
const FIRST_RUN = 129; // the byte of a single step on which nothing changes
const LONGEST_RUN = 127;
const LONGEST_BAR = 64; // steps, as the server takes them
const [LEAST_QPM, MOST_QPM] = [20, 400];

/** The address of this page with a melody {events, meter, qpm, ends, chords, made} in it. */
export function linkOf(melody) {
  const { events, meter, qpm, ends = false } = melody;
  const bytes = [Number(ends)];
  for (const event of events) {
    if (event !== NO_EVENT) bytes.push(event + 1);
    else if (bytes.length > 1 && bytes.at(-1) >= FIRST_RUN && bytes.at(-1) < FIRST_RUN + LONGEST_RUN - 1)
      bytes[bytes.length - 1] += 1;
    else bytes.push(FIRST_RUN);
  }
  const data = btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const text = chordTextOf(melody);
  const end = text ? `/${encodeURIComponent(text)}` : "";
  return `${location.href.split("#")[0]}${LINK}${text ? WITH_CHORDS : VERSION}/${meter}/${qpm}/${data}${end}`;
}

/**
 * The melody of a link, {events, meter, qpm, ends}, and `text`, that of its chords, if it has some; a RangeError says why
 * there is none.
 */
export function melodyOf(link, maxSteps) {
  const [version, numerator, denominator, tempo, data, ...more] = link.split(LINK)[1].split(/\s/)[0].split("/");
  if (/^\d+$/.test(version) && ![VERSION, WITH_CHORDS].includes(version))
    throw new RangeError("This link was made by a newer studio. Update Ostinato to open it.");
  const meter = `${numerator}/${denominator}`;
  const qpm = /^\d+(\.\d+)?$/.test(tempo) ? Number(tempo) : NaN;
  const [ends, events] = eventsIn(data ?? "", maxSteps);
  const text = version === WITH_CHORDS ? textIn(more[0]) : "";
  const isRight =
    [VERSION, WITH_CHORDS].includes(version) &&
    more.length === Number(version === WITH_CHORDS) &&
    text !== null &&
    isMeter(meter) &&
    meterOf(meter).stepsPerBar <= LONGEST_BAR &&
    qpm >= LEAST_QPM &&
    qpm <= MOST_QPM &&
    ends <= 1 &&
    events.length <= maxSteps &&
    events.some((event) => event >= 0);
  if (!isRight) throw new RangeError("This link is damaged, so your melody stays as it is. Ask for the link again.");
  return { events, meter, qpm, ends: ends === 1, ...(text ? { text } : {}) };
}

/** The text of a part of a link; null if there is none. */
function textIn(part) {
  try {
    return decodeURIComponent(part ?? "") || null;
  } catch {
    return null;
  }
}

/** The first byte, and the events of the others, which are no more than a little too many. */
function eventsIn(data, maxSteps) {
  let text = "";
  try {
    if (/^[\w-]+$/.test(data)) text = atob(data.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    // It is told by what is missing.
  }
  const [ends = 2, ...bytes] = Array.from(text.slice(0, maxSteps + 2), (character) => character.charCodeAt(0));
  const run = (byte) => new Array(byte - FIRST_RUN + 1).fill(NO_EVENT);
  return [ends, bytes.flatMap((byte) => (byte >= FIRST_RUN ? run(byte) : byte ? byte - 1 : NOTE_OFF))];
}

/** Copy the link of a melody, or put it where it can be copied by hand; what was done, in words. */
export async function copyLink(melody) {
  const link = linkOf(melody);
  try {
    await navigator.clipboard.writeText(link); // which browsers do not allow at every address
    return "Copied a link that holds the melody. Open it, or paste it into another studio.";
  } catch {
    history.replaceState(null, "", link);
    return "This browser lets no page copy here. The link is in its address bar: copy it from there.";
  }
}
