/** The key that a melody is in, by the rule that scores are written by: see `estimated_key` in Python. */

const MAJOR = [0, 2, 4, 5, 7, 9, 11];
/** Semitones from the last note up to the major key with its signature: the modes that a melody may end in. */
const MODES = new Map([
  [0, "major"],
  [3, "minor"],
  [10, "dorian"],
  [5, "mixolydian"],
]);
const NAMES = { sharp: ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"] };
NAMES.flat = ["C", "D♭", "D", "E♭", "E", "F", "G♭", "G", "A♭", "A", "B♭", "B"];

/**
 * {tonic, mode, name} of notes: the signature is the one that most notes fit; of several the one in which the last note
 * is a tonic, of these the one with the fewest sharps or flats. Null without notes.
 */
export function estimatedKey(notes) {
  const last = notes.at(-1)?.pitch;
  if (last === undefined) return null;
  const fitting = (major) => notes.filter(({ pitch }) => MAJOR.includes((pitch - major + 120) % 12)).length;
  const majors = Array.from({ length: 12 }, (_, major) => major);
  const most = Math.max(...majors.map(fitting));
  const above = (major) => (major - last + 132) % 12;
  const rank = (major) => {
    const place = [...MODES.keys()].indexOf(above(major));
    return 10 * (place < 0 ? MODES.size : place) + Math.abs(sharpsOf(major));
  };
  const major = majors.filter((each) => fitting(each) === most).sort((one, other) => rank(one) - rank(other))[0];
  const mode = MODES.get(above(major)) ?? "major";
  const tonic = MODES.has(above(major)) ? last % 12 : major;
  return { tonic, mode, name: `${NAMES[sharpsOf(major) < 0 ? "flat" : "sharp"][tonic]} ${mode}` };
}

/** The sharps in the signature of a major key, below 0 flats. */
function sharpsOf(major) {
  return ((7 * major + 5) % 12) - 5;
}

/** "Bb minor" as it is written on paper: B♭ minor. */
export function onPaper(key) {
  return key.replace(/^([A-G])b/, "$1♭").replace("#", "♯");
}
