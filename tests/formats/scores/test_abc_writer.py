from hypothesis import given

import written_melodies
from note_sequences import STEP
from ostinato.dataset.convert import music_of
from ostinato.formats.scores.abc_writer import sheets_to_abc
from ostinato.music.keys import Key, parse_key
from ostinato.music.melody import Melody
from ostinato.music.meter import Meter
from ostinato.music.notation import notate

# An upbeat of an eighth; F# and its natural; a note over the bar line; a dotted eighth and a 16th; five eighths to end.
JIG = Melody(
    [
        *(-2, -2, -2, -2, -2, -2, -2, -2, -2, -2, 67, -2),
        *(71, -2, 74, -2, 78, -2, 77, -2, -1, -2, 79, -2),
        *(-2, -2, 71, -2, -2, 72, 67, -2, -2, -2),
    ],
    meter=Meter(6, 8),
)


def test_a_tune_to_the_letter() -> None:
    sheets = [notate(JIG, qpm=92.5, title="A jig\n50% \\ old"), notate(Melody([57]), key=parse_key("A dorian"))]
    assert sheets_to_abc(sheets) == (
        "%abc-2.1\n"
        "\n"
        "X:1\n"
        "T:A jig 50\\% \\\\ old\n"
        "M:6/8\n"
        "L:1/8\n"
        "Q:1/4=92.5\n"
        "K:G\n"
        "G | Bdf =f z g- | gB3/2c/ G2 |]\n"
        "\n"
        "X:2\n"
        "T:\n"
        "M:4/4\n"
        "L:1/8\n"
        "Q:1/4=120\n"
        "K:Ador\n"
        "A,/ z/ z z2 z4 |]\n"
    )


def test_accidentals_hold_as_readers_think_they_do() -> None:
    # C5 sharp in C major: again in its bar it needs no sign, an octave lower it gets one, for some carry it there.
    # Tied over the bar line it is said again, and then a C natural is in doubt.
    melody = Melody([73, -2, -2, -2, 73, -2, -2, -2, 60, -2, -2, -2, 61, -2, -2, -2, -2, -2, -2, -2, 60, -2, -2, -2])
    (line,) = sheets_to_abc([notate(melody, key=parse_key("C"))]).splitlines()[-1:]
    assert line == "^c2 c2 =C2 ^C2- | ^C2 =C2 z4 |]"


def test_four_bars_stand_on_a_line() -> None:
    lines = sheets_to_abc([notate(Melody([60, *[-2] * 15] * 9))]).splitlines()
    assert lines[-3:] == ["C8 | C8 | C8 | C8 |", "C8 | C8 | C8 | C8 |", "C8 |]"]


def test_a_rest_of_any_bar_can_be_read() -> None:
    # A bar of 5/4 has no note value of its own: a whole and a quarter.
    melody = Melody([60, *[-2] * 19, -1, *[-2] * 19], meter=Meter(5, 4))
    assert sheets_to_abc([notate(melody)]).splitlines()[-1] == "C8- C2 | z8 z2 |]"


@given(written_melodies.melodies(), written_melodies.keys)
def test_our_reader_gets_back_the_notes(melody: Melody, key: Key | None) -> None:
    (tune,) = music_of(sheets_to_abc([notate(melody, key=key)]).encode(), "melody.abc")
    heard = [(note.pitch, note.start_time / STEP, note.end_time / STEP) for note in tune.notes]
    assert heard == written_melodies.sounding(melody)
    assert tune.tempos[0].qpm == 120
    (meter,) = tune.time_signatures
    assert (meter.numerator, meter.denominator) == melody.meter.time_signature


@given(written_melodies.melodies(), written_melodies.keys)
def test_music21_gets_back_the_notes(melody: Melody, key: Key | None) -> None:
    sheet = notate(melody, key=key)
    heard, score = written_melodies.read_by_music21(sheets_to_abc([sheet]).encode(), "abc")
    assert heard == written_melodies.from_first_bar(melody, has_upbeat=sheet.has_upbeat)
    assert score.flatten().getTimeSignatures()[0].ratioString == str(melody.meter)


def test_chords_stand_before_their_notes() -> None:
    # An upbeat without a chord; one before a rest, two over one note, which is cut, and one in a group of eighths.
    melody = Melody(
        [*([-2] * 12), 67, -2, -2, -2, *(72, -2, -2, -2, -2, -2, -2, -2), *(74, -2, 76, -2, -1, -2, -2, -2)],
        chords=[(16, "C"), (20, "Am/G"), (26, "G7"), (28, "N.C.")],
    )
    assert sheets_to_abc([notate(melody, key=parse_key("C"))]).splitlines()[-1] == (
        'G2 | "C"c2- "Am/G"c2 d"G7"e "N.C."z2 |]'
    )
    # The key that the chords are in, if no other is given.
    assert "K:Bb\n" in sheets_to_abc([notate(Melody([62] * 32, chords=[(0, "Bb"), (8, "Eb"), (16, "F7"), (24, "Bb")]))])
    # A whole bar of rest.
    silent = Melody([60, *[-2] * 15, -1, *[-2] * 15], chords=[(0, "C"), (16, "F")])
    assert sheets_to_abc([notate(silent, key=parse_key("C"))]).splitlines()[-1] == '"C"C8 | "F"z8 |]'
