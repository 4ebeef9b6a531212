"""Melodies as notes to play, as a line to read and as a picture to look at."""

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from ostinato.errors import SettingsError
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.music.melody import MIN_PITCH, NOTE_OFF, NOTES_PER_OCTAVE, STEPS_PER_QUARTER, Melody

TICKS_PER_QUARTER = 220  # what Magenta writes
_PITCH_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")

_PAPER, _KEYS, _BEATS, _BARS, _NOTES, _TEXT = "#fbfaf7", "#f1eee7", "#eae6dc", "#c9c3b6", "#2a6f97", "#7a746a"
_STEP_WIDTH = 6  # pixels of a 16th note in a picture of no given width
_LABELS_LEFT, _LABELS_TOP = 28, 14  # pixels that the labels of one roll take
_GUTTER, _GAP = 36, 10  # pixels beside and between several rolls


def pitch_name(pitch: int) -> str:
    """The name of a MIDI pitch with its octave: 60 is C4."""
    return f"{_PITCH_NAMES[pitch % 12]}{pitch // 12 - 1}"


def note_spans(melody: Melody) -> list[tuple[int, int, int]]:
    """The notes as (pitch, start step, end step); a note that is never ended sounds to the melody's end."""
    changes = [(step, event) for step, event in enumerate(melody) if event >= NOTE_OFF]
    changes.append((len(melody), NOTE_OFF))
    return [(event, start, end) for (start, event), (end, _) in pairwise(changes) if event >= MIN_PITCH]


def time_signature_of(steps_per_bar: int) -> tuple[int, int]:
    """The plainest time signature whose bar has this many 16th notes: 16 is 4/4, 12 is 3/4, 18 is 9/8."""
    for denominator in (4, 8, 16):
        numerator, rest = divmod(steps_per_bar * denominator, 4 * STEPS_PER_QUARTER)
        if rest == 0:
            return numerator, denominator
    raise AssertionError("every bar is a whole number of 16ths")


def to_note_sequence(
    melody: Melody,
    *,
    qpm: float = 120.0,
    velocity: int = 100,
    program: int = 0,
    time_signature: tuple[int, int] | None = None,
) -> NoteSequence:
    """The melody as notes in seconds, from time 0.

    Args:
        melody: what to play.
        qpm: quarter notes a minute, above 0.
        velocity: of every note, 1..127.
        program: General MIDI instrument, 0..127.
        time_signature: numerator and denominator; by default the plainest one of the melody's bar.

    Raises:
        SettingsError: if one of these is out of its range.
    """
    if not 0 < qpm < float("inf"):
        raise SettingsError(f"the tempo must be above 0 quarters a minute, not {qpm}")
    if not 1 <= velocity <= 127:
        raise SettingsError(f"the velocity must be of 1..127, not {velocity}")
    if not 0 <= program <= 127:
        raise SettingsError(f"the program must be of 0..127, not {program}")
    numerator, denominator = time_signature or time_signature_of(melody.steps_per_bar)
    seconds_per_step = 60.0 / qpm / STEPS_PER_QUARTER
    sequence = NoteSequence(ticks_per_quarter=TICKS_PER_QUARTER, total_time=len(melody) * seconds_per_step)
    sequence.tempos.add(qpm=qpm)
    sequence.time_signatures.add(numerator=numerator, denominator=denominator)
    for pitch, start, end in note_spans(melody):
        sequence.notes.add(
            pitch=pitch,
            velocity=velocity,
            program=program,
            start_time=start * seconds_per_step,
            end_time=end * seconds_per_step,
        )
    return sequence


def text_roll(melody: Melody) -> str:
    """The melody on one line, bar by bar: `| C4:4 E4:2 r:2 | ... |`.

    Each note has its length in 16ths after the colon; `r` is a rest, and `-` goes
    on with the note of the bar before.
    """
    labels = [(start, end, pitch_name(pitch)) for pitch, start, end in note_spans(melody)]
    bars = []
    for bar_start in range(0, len(melody), melody.steps_per_bar):
        bar_end = min(bar_start + melody.steps_per_bar, len(melody))
        step, words = bar_start, []
        for start, end, name in labels:
            if end <= bar_start or start >= bar_end:
                continue
            if start > step:
                words.append(f"r:{start - step}")
            step = min(end, bar_end)
            words.append(f"{name if start >= bar_start else '-'}:{step - max(start, bar_start)}")
        if step < bar_end:
            words.append(f"r:{bar_end - step}")
        bars.append(" ".join(words))
    return f"| {' | '.join(bars)} |"


def piano_roll_svg(
    melody: Melody, *, width: int | None = None, row_height: int = 6, title: str = "", labels: bool = True
) -> str:
    """The melody as a piano roll: time to the right, pitch upwards, lines at the beats and the bars.

    Args:
        melody: what to draw.
        width: of the picture, in pixels; by default so wide that a quarter note is easily seen, 240 to 1,200.
        row_height: of a semitone, in pixels.
        title: what a screen reader says; by default the notes themselves.
        labels: number the bars and name the Cs. Without labels the picture may be stretched by who shows it.

    Returns:
        A whole <svg> element that needs nothing from outside. Its parts have classes (`keys`, `beats`, `bars`,
        `notes`), by which a page can give them its own colors.
    """
    spans = note_spans(melody)
    width = min(max(len(melody) * _STEP_WIDTH, 240), 1200) if width is None else width
    rows = _rows(spans)
    height = len(rows) * row_height
    left, top = (_LABELS_LEFT, _LABELS_TOP) if labels else (0, 0)
    roll = _roll(melody, spans, rows, width - left, row_height)
    return "".join(
        [
            _svg_tag(width, height + top, title or text_roll(melody), left, top, stretch=not labels),
            _labels(melody, rows, width - left, row_height) if labels else "",
            f'<rect class="paper" width="{width - left}" height="{height}" fill="{_PAPER}"/>',
            f"{roll}</svg>",
        ]
    )


def piano_rolls_svg(
    melodies: Sequence[Melody], *, width: int = 720, row_height: int = 4, title: str = "Piano rolls"
) -> str:
    """Several melodies in one picture, one below the other, each with its number; a step is as wide in all.

    Args:
        melodies: what to draw, from number 1 on.
        width: of the picture, in pixels.
        row_height: of a semitone, in pixels.
        title: what a screen reader says.

    Returns:
        A whole <svg> element that needs nothing from outside.
    """
    steps = max((len(melody) for melody in melodies), default=1)
    step_width = (width - _GUTTER) / max(steps, 1)
    parts, top = [], _GAP
    for number, melody in enumerate(melodies, start=1):
        spans = note_spans(melody)
        rows = _rows(spans)
        height = len(rows) * row_height
        roll_width = len(melody) * step_width
        parts.append(
            f'<g transform="translate(0 {top})"><text x="{_GUTTER - 10}" y="{height / 2:g}" text-anchor="end" '
            f'dominant-baseline="central" font-family="sans-serif" font-size="13" fill="{_TEXT}">{number}</text>'
            f'<svg x="{_GUTTER}" width="{_short(roll_width)}" height="{height}">'
            f'<rect width="{_short(roll_width)}" height="{height}" fill="{_PAPER}"/>'
            f"{_roll(melody, spans, rows, roll_width, row_height)}</svg></g>"
        )
        top += height + _GAP
    return (
        f'{_svg_tag(width, top, title)}<rect width="{width}" height="{top}" fill="#fff"/>' + "".join(parts) + "</svg>"
    )


def _rows(spans: Sequence[tuple[int, int, int]]) -> range:
    """The pitches to draw, highest first: those of the notes, some air around them, an octave at least."""
    lowest = min((pitch for pitch, _, _ in spans), default=60) - 2
    highest = max((pitch for pitch, _, _ in spans), default=71) + 2
    missing = max(12 - (highest - lowest), 0)
    return range(highest + missing // 2, lowest - (missing + 1) // 2 - 1, -1)


def _labels(melody: Melody, rows: range, width: float, row_height: int) -> str:
    """The numbers of the bars above a piano roll, and the names of the Cs beside it."""
    step_width = width / max(len(melody), 1)
    texts = [
        f'<text x="{_short(step * step_width + 2)}" y="-4">{bar}</text>'
        for bar, step in enumerate(range(0, len(melody), melody.steps_per_bar), start=1)
    ]
    texts += [
        f'<text x="-4" y="{(row + 0.5) * row_height:g}" text-anchor="end" dominant-baseline="central">'
        f"{pitch_name(pitch)}</text>"
        for row, pitch in enumerate(rows)
        if pitch % NOTES_PER_OCTAVE == 0
    ]
    return f'<g class="labels" font-family="sans-serif" font-size="10" fill="{_TEXT}">{"".join(texts)}</g>'


def _roll(melody: Melody, spans: Sequence[tuple[int, int, int]], rows: range, width: float, row_height: int) -> str:
    """The inside of a piano roll, its top left corner at 0, 0."""
    height = len(rows) * row_height
    step_width = width / max(len(melody), 1)
    top = {pitch: row * row_height for row, pitch in enumerate(rows)}
    bars = range(0, len(melody) + 1, melody.steps_per_bar)
    beats = [
        bar + beat
        for bar in bars
        for beat in range(STEPS_PER_QUARTER, melody.steps_per_bar, STEPS_PER_QUARTER)
        if bar + beat < len(melody)
    ]
    black_keys = "".join(
        f"M0 {top[pitch]}h{_short(width)}v{row_height}H0z" for pitch in rows if "#" in pitch_name(pitch)
    )
    parts = [
        f'<path class="keys" d="{black_keys}" fill="{_KEYS}"/>',
        *(
            f'<path class="{name}" d="{"".join(f"M{_short(step * step_width)} 0v{height}" for step in steps)}" '
            f'stroke="{color}" vector-effect="non-scaling-stroke"/>'
            for name, steps, color in (("beats", beats, _BEATS), ("bars", bars, _BARS))
            if steps
        ),
    ]
    parts.append(f'<g class="notes" fill="{_NOTES}">')
    parts += [
        f'<rect x="{_short(start * step_width)}" y="{top[pitch]}" '
        f'width="{_short(max((end - start) * step_width - 1, 1))}" height="{row_height}" rx="1.5">'
        f"<title>{pitch_name(pitch)}</title></rect>"
        for pitch, start, end in spans
    ]
    return "".join(parts) + "</g>"


def _svg_tag(width: int, height: int, title: str, left: int = 0, top: int = 0, *, stretch: bool = False) -> str:
    """The opening tag of a picture whose origin lies `left` and `top` pixels inside its corner."""
    aspect = ' preserveAspectRatio="none"' if stretch else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{-left} {-top} {width} {height}" '
        f'width="{width}" height="{height}"{aspect} '
        f'role="img" aria-label="{escape(title)}">'
    )


def _short(number: float) -> str:
    """A length in as few characters as a hundredth of a pixel needs."""
    return f"{number:.2f}".rstrip("0").rstrip(".")
