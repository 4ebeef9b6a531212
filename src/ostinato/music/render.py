"""Melodies as notes to play, as a line to read and as a picture to look at."""

from html import escape
from itertools import pairwise

from ostinato.errors import SettingsError
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.music.melody import MIN_PITCH, NOTE_OFF, STEPS_PER_QUARTER, Melody

TICKS_PER_QUARTER = 220  # what Magenta writes
_PITCH_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


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


def piano_roll_svg(melody: Melody, *, width: int = 720, row_height: int = 6, title: str = "") -> str:
    """The melody as a piano roll: time to the right, pitch upwards, a line at each bar.

    Args:
        melody: what to draw.
        width: of the picture, in pixels.
        row_height: of a semitone, in pixels.
        title: what a screen reader says; by default the notes themselves.

    Returns:
        A whole <svg> element that needs nothing from outside.
    """
    spans = note_spans(melody)
    lowest = min((pitch for pitch, _, _ in spans), default=60) - 2
    highest = max((pitch for pitch, _, _ in spans), default=72) + 2
    steps, rows = max(len(melody), 1), highest - lowest + 1
    height = rows * row_height
    step_width = width / steps
    title = title or text_roll(melody)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>',
        f'<rect width="{width}" height="{height}" fill="#fbfaf7"/>',
    ]
    parts += [
        f'<rect y="{(highest - pitch) * row_height}" width="{width}" height="{row_height}" fill="#f0eee8"/>'
        for pitch in range(lowest, highest + 1)
        if "#" in pitch_name(pitch)
    ]
    parts += [
        f'<line x1="{step * step_width:.2f}" x2="{step * step_width:.2f}" y2="{height}" stroke="#cfcac0"/>'
        for step in range(0, steps + 1, melody.steps_per_bar)
    ]
    parts += [
        f'<rect x="{start * step_width:.2f}" y="{(highest - pitch) * row_height}" '
        f'width="{max((end - start) * step_width - 1, 1):.2f}" height="{row_height}" rx="1.5" fill="#2a6f97">'
        f"<title>{pitch_name(pitch)}</title></rect>"
        for pitch, start, end in spans
    ]
    return "".join(parts) + "</svg>"
