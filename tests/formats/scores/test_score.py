from fractions import Fraction

import pytest

from ostinato.errors import FormatError
from ostinato.formats import Identity
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.formats.scores.score import Part, Score, ScoreNote, join_ties, note_sequence

SOURCE = NoteSequence.SourceInfo(source_type=NoteSequence.SourceInfo.SCORE_BASED)


def quarter(pitch: int, start: float, length: float = 1) -> ScoreNote:
    return ScoreNote(pitch, Fraction(start), Fraction(start) + Fraction(length))


def sequence(score: Score) -> NoteSequence:
    return note_sequence(score, Identity("id", "file", "collection"), SOURCE, 64, 7)


def test_layout() -> None:
    score = Score(
        [
            Part("Flute", 73, [quarter(72, 1, 0.5), quarter(60, 0)]),
            Part("Drum", 0, [ScoreNote(35, Fraction(1), Fraction(4), is_drum=True)]),
        ],
        meters={Fraction(0): (3, 4)},
        keys={Fraction(0): (-2, "dorian")},
        tempos={Fraction(0): 60},
    )
    expected = NoteSequence(
        id="id",
        filename="file",
        collection_name="collection",
        ticks_per_quarter=220,
        reference_number=7,
        source_info=SOURCE,
        total_time=4.0,
    )
    expected.time_signatures.add(numerator=3, denominator=4)
    expected.key_signatures.add(key=NoteSequence.KeySignature.C, mode=NoteSequence.KeySignature.DORIAN)
    expected.tempos.add(qpm=60)
    expected.part_infos.add(part=0, name="Flute")
    expected.part_infos.add(part=1, name="Drum")
    expected.notes.add(pitch=60, velocity=64, end_time=1, program=73)
    expected.notes.add(pitch=72, velocity=64, start_time=1, end_time=1.5, program=73)
    expected.notes.add(pitch=35, velocity=64, start_time=1, end_time=4, instrument=1, part=1, is_drum=True)
    assert sequence(score) == expected


def test_seconds_are_exact() -> None:
    """At 90 quarters a minute a triplet eighth is 2/9 s, however many came before it."""
    notes = [ScoreNote(60, Fraction(n, 3), Fraction(n + 1, 3)) for n in range(1000)]
    found = sequence(Score([Part(notes=notes)], tempos={Fraction(0): 90.0}))
    assert [note.start_time for note in found.notes] == [2 * n / 9 for n in range(1000)]
    assert found.total_time == 2000 / 9


def test_tempo_changes_and_the_first_tempo() -> None:
    """120 by default; the first mark holds from the beginning; a mark that cannot be is passed over."""
    part = Part(notes=[quarter(60, n) for n in range(8)])
    assert [(tempo.time, tempo.qpm) for tempo in sequence(Score([part])).tempos] == [(0, 120)]
    tempos = {Fraction(2): 60.0, Fraction(4): 120.0, Fraction(5): 0.0, Fraction(6): 30.0}
    found = sequence(Score([part], tempos=tempos))
    assert [(tempo.time, tempo.qpm) for tempo in found.tempos] == [(0, 60), (4, 120), (5, 30)]
    assert [note.start_time for note in found.notes] == [0, 1, 2, 3, 4, 4.5, 5, 7]


def test_a_pickup_is_preceded_by_the_rest_of_its_bar() -> None:
    """A quarter before a bar of 3/4: two quarters of rest, at 120 a second; the change to 2/4 moves along."""
    score = Score(
        [Part(notes=[quarter(60, n) for n in range(5)])],
        first_bar=Fraction(1),
        meters={Fraction(0): (3, 4), Fraction(4): (2, 4)},
    )
    found = sequence(score)
    assert [note.start_time for note in found.notes] == [1, 1.5, 2, 2.5, 3]
    assert [(meter.time, meter.numerator) for meter in found.time_signatures] == [(0, 3), (3, 2)]
    assert [(tempo.time, tempo.qpm) for tempo in found.tempos] == [(0, 120)]


@pytest.mark.parametrize("first_bar", [Fraction(3), Fraction(4), None])
def test_a_full_first_bar_stays_where_it_is(first_bar: Fraction | None) -> None:
    score = Score([Part(notes=[quarter(60, 0)])], first_bar=first_bar, meters={Fraction(0): (3, 4)})
    assert sequence(score).notes[0].start_time == 0


@pytest.mark.parametrize(
    ("sharps", "mode", "key", "its_mode"),
    [
        (0, "major", "C", "MAJOR"),
        (0, "minor", "A", "MINOR"),
        (3, "minor", "F_SHARP", "MINOR"),
        (-6, "major", "F_SHARP", "MAJOR"),  # G flat
        (2, "mixolydian", "A", "MIXOLYDIAN"),
        (1, "lydian", "C", "LYDIAN"),
        (1, "phrygian", "B", "PHRYGIAN"),
        (0, "locrian", "B", "LOCRIAN"),
        (2, "", "D", "NOT_SPECIFIED"),
    ],
)
def test_keys(sharps: int, mode: str, key: str, its_mode: str) -> None:
    (found,) = sequence(Score([Part(notes=[quarter(60, 0)])], keys={Fraction(0): (sharps, mode)})).key_signatures
    assert found.key == NoteSequence.KeySignature.Key.Value(key)
    assert found.mode == NoteSequence.KeySignature.Mode.Value(its_mode)


def test_meters_that_cannot_be_are_passed_over() -> None:
    score = Score([Part(notes=[quarter(60, 0)])], meters={Fraction(0): (4, 0), Fraction(1): (0, 4)})
    assert not sequence(score).time_signatures


def test_ties() -> None:
    """A run of ties is one note; a tie to another pitch or over a gap ties nothing; chords tie note by note."""
    c, e = 60, 64
    tied = [(quarter(c, 0), True), (quarter(e, 0), False), (quarter(c, 1), True), (quarter(e, 1), True)]
    tied += [(quarter(c, 2), False), (quarter(e, 3), False)]
    assert join_ties(tied) == [quarter(c, 0, 3), quarter(e, 0), quarter(e, 1), quarter(e, 3)]


@pytest.mark.parametrize(
    ("notes", "reason"),
    [
        ([], "no note"),
        ([quarter(128, 0)], "only pitches 0 to 127, not 128"),
        ([quarter(60, 0), quarter(-1, 0)], "only pitches 0 to 127, not -1"),
        ([quarter(60, 3e6)], "longer than 1000000 seconds"),
    ],
)
def test_what_is_no_music(notes: list[ScoreNote], reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        sequence(Score([Part(notes=notes)]))
