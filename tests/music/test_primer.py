import pytest

from note_sequences import STEP, add, sequence
from ostinato.errors import DataError
from ostinato.music.melody import Melody
from ostinato.music.primer import Primer, longest_melody


def test_the_longest_melody_is_the_primer() -> None:
    made = sequence((60, 0, 4), (64, 60, 64))
    add(made, (70, 0, 4), (74, 0, 4), (72, 100, 104), instrument=2)
    add(made, (36, 0, 200), instrument=3, is_drum=True)
    made.instrument_infos.add(instrument=2, name="Fiddle")
    made.tempos.add(qpm=120)
    made.time_signatures.add(numerator=3, denominator=4)
    primer = longest_melody(made)
    # A rest of many bars does not end it; of the chord the top note is kept.
    assert primer == Primer(
        Melody([74, -2, -2, -2, -1] + [-2] * 95 + [72, -2, -2, -2], 0, 12), 2, "Fiddle", 120.0, 3, 4
    )
    chosen = longest_melody(made, track=0)
    assert (chosen.track, chosen.track_name, len(chosen.melody)) == (0, "", 64)
    with pytest.raises(DataError, match=r"tune\.mid: there is no melody in track 3; .* in 0, 2 \(Fiddle\)"):
        longest_melody(made, track=3)


def test_a_primer_keeps_the_tempo_of_its_piece() -> None:
    made = sequence((60, 0, 4), (62, 32, 64))
    made.tempos.add(time=32 * STEP, qpm=90)
    primer = longest_melody(made)
    assert (primer.qpm, primer.melody.pitches, len(primer.melody)) == (90.0, (62,), 24)


def test_a_primer_without_a_melody_is_an_error() -> None:
    with pytest.raises(DataError, match=r"tune\.mid: there is no melody in it, only drums or nothing at all; choose"):
        longest_melody(sequence((36, 0, 4), is_drum=True))
    odd = sequence((60, 0, 4))
    odd.time_signatures.add(numerator=3, denominator=32)
    with pytest.raises(DataError, match="1 parts of it have bars that are no whole number of 16th notes"):
        longest_melody(odd)
    with pytest.raises(DataError, match="longer than 65536 steps"):
        longest_melody(sequence((60, 0, 10**9)))
