"""A melody as notes: their spans in steps, in seconds to play, and as a line to read or to type."""

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from ostinato.errors import SettingsError
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.music.melody import MIN_PITCH, NO_EVENT, NOTE_OFF, Melody, pitch_name
from ostinato.music.meter import STEPS_PER_BAR, STEPS_PER_QUARTER, Meter

if TYPE_CHECKING:
    from ostinato.music.chords import Accompaniment

_LONGEST_NOTE = 64 * STEPS_PER_BAR
_SHOWN = 60  # characters of a text in an error
TICKS_PER_QUARTER = 220  # what Magenta writes
_BELOW = 0.6  # an accompaniment's velocity, as a share of the melody's


def note_spans(melody: Melody) -> list[tuple[int, int, int]]:
    """The notes as (pitch, start step, end step); a note that never ends sounds to the end of the melody."""
    changes = [(step, event) for step, event in enumerate(melody) if event >= NOTE_OFF]
    changes.append((len(melody), NOTE_OFF))
    return [(event, start, end) for (start, event), (end, _) in pairwise(changes) if event >= MIN_PITCH]


def to_note_sequence(
    melody: Melody,
    *,
    qpm: float = 120.0,
    velocity: int = 100,
    program: int = 0,
    time_signature: tuple[int, int] | None = None,
    accompaniment: "Accompaniment | None" = None,
) -> NoteSequence:
    """The melody as notes in seconds, from time 0, and its chords as text annotations.

    Args:
        melody: what to play.
        qpm: quarter notes a minute, above 0.
        velocity: of every note, 1..127.
        program: General MIDI instrument, 0..127.
        time_signature: numerator and denominator to write instead of the melody's meter.
        accompaniment: play the chords too, as instrument 1, softer than the melody; see
            `ostinato.music.chords.accompany`.

    Raises:
        SettingsError: if one of these is out of range, or there are no chords to play.
    """
    if not 0 < qpm < float("inf"):
        raise SettingsError(f"the tempo must be above 0 quarter notes a minute, not {qpm}")
    if not 1 <= velocity <= 127:
        raise SettingsError(f"the velocity must be 1 to 127, not {velocity}")
    if not 0 <= program <= 127:
        raise SettingsError(f"the program must be 0 to 127, not {program}")
    seconds_per_step = 60.0 / qpm / STEPS_PER_QUARTER
    sequence = NoteSequence(ticks_per_quarter=TICKS_PER_QUARTER, total_time=len(melody) * seconds_per_step)
    sequence.tempos.add(qpm=qpm)
    numerator, denominator = time_signature or melody.meter.time_signature
    sequence.time_signatures.add(numerator=numerator, denominator=denominator)
    for pitch, start, end in note_spans(melody):
        sequence.notes.add(
            pitch=pitch,
            velocity=velocity,
            program=program,
            start_time=start * seconds_per_step,
            end_time=end * seconds_per_step,
        )
    for step, name in melody.chords:
        sequence.text_annotations.add(
            time=step * seconds_per_step, text=name, annotation_type=NoteSequence.TextAnnotation.CHORD_SYMBOL
        )
    if accompaniment is not None:
        from ostinato.music.chords import accompany

        if not melody.chords:
            raise SettingsError(f"accompaniment={accompaniment!r} plays chords, but the melody has none")
        for pitch, start, end in accompany(melody.chords, len(melody), melody.meter, accompaniment):
            sequence.notes.add(
                pitch=pitch,
                velocity=max(1, round(_BELOW * velocity)),
                instrument=1,
                start_time=start * seconds_per_step,
                end_time=end * seconds_per_step,
            )
    return sequence


def text_roll(melody: Melody) -> str:
    """The melody on one line, bar by bar: `| C4:4 E4:2 r:2 | ... |`.

    Each note has its length in 16ths after the colon; `r` is a rest, and `-`
    continues the note of the bar before.
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


def parse_notes(text: str, meter: Meter | str | None = None) -> Melody:
    """Read a melody as people type it: "C4 D4:2 r E4".

    - `C4`, `F#5` or `60` is a note, by its name with the octave or by its MIDI number; `r` is a rest; `-` lets the note
      before go on.
    - Each is as long as a quarter, or as many 16ths as stand after a colon: `D4:2` is an eighth.
    - `|` is a bar line, which changes nothing.

    So it reads what `text_roll` writes.

    Args:
        text: the words, with spaces between them.
        meter: of the melody, such as "6/8"; 4/4 if absent.

    Raises:
        SettingsError: if a word is none of these; it says which, and where.
    """
    from ostinato.music.keys import parse_note

    events: list[int] = []
    is_sounding = False
    for word in re.finditer(r"[^\s|]+", text):
        name, colon, digits = word[0].partition(":")
        where = f"note names: {word[0]!r} at character {word.start() + 1} of {_shortened(text)!r}"
        length = STEPS_PER_QUARTER
        if colon:
            if not re.fullmatch(r"[0-9]{1,4}", digits) or not 1 <= int(digits) <= _LONGEST_NOTE:
                raise SettingsError(f"{where}: the length must be 1..{_LONGEST_NOTE} 16ths, as in C4:2")
            length = int(digits)
        first = NO_EVENT
        if name == "r":
            first, is_sounding = NOTE_OFF if is_sounding else NO_EVENT, False
        elif name != "-":
            try:
                first, is_sounding = parse_note(name), True
            except SettingsError:
                raise SettingsError(
                    f"{where} is no note; write C4, F#5:2 (two 16ths), r for a rest, or - to hold the note"
                ) from None
        events += [first, *[NO_EVENT] * (length - 1)]
    return Melody(events, meter=meter)


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
