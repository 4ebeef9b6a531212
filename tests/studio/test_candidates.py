"""Primers out of MIDI files."""

import contextlib
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midi_files import END, NOTE, midi
from ostinato.errors import DataError, FormatError
from ostinato.formats.midi.writer import note_sequence_to_midi
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.music.melody import Melody
from ostinato.studio.candidates import Candidate, candidates


def _file(tracks: dict[str, list[tuple[int, int, int]]], meter: tuple[int, int] = (4, 4), qpm: float = 120.0) -> bytes:
    """Tracks by their names, of pitches with the 16ths from which to which they sound."""
    sequence = NoteSequence(ticks_per_quarter=220)
    sequence.tempos.add(qpm=qpm)
    sequence.time_signatures.add(numerator=meter[0], denominator=meter[1])
    second = 60 / qpm / 4
    for number, (name, notes) in enumerate(tracks.items()):
        sequence.instrument_infos.add(instrument=number, name=name)
        for pitch, start, end in notes:
            sequence.notes.add(
                instrument=number, pitch=pitch, velocity=90, start_time=start * second, end_time=end * second
            )
    return note_sequence_to_midi(sequence)


def test_each_track_gives_one() -> None:
    data = _file({"Flute": [(72, 0, 2), (74, 4, 6)], "Chords": [(60, 4, 8), (64, 4, 8), (67, 8, 10)]}, (3, 4), 90.0)
    found = candidates(data, "song.mid")
    flute, chords = [dataclasses.replace(each, qpm=round(each.qpm, 3)) for each in found]
    assert [each.qpm for each in found] == pytest.approx([60_000_000 / 666_667] * 2)  # MIDI counts microseconds
    assert flute == Candidate(0, "Flute", Melody([72, -2, -1, -2, 74, -2], steps_per_bar=12), 6, 90.0)
    # A melody begins with the bar of its first note, and of a chord has the top note.
    events = [-2, -2, -2, -2, 64, -2, -2, -2, 67, -2]
    assert chords == Candidate(1, "Chords", Melody(events, steps_per_bar=12), 10, 90.0)


def test_a_book_of_abc_gives_one_of_each_tune() -> None:
    book = b"X:3\nM:3/4\nL:1/4\nQ:1/4=90\nK:C\nCDE|\n\nX:7\nL:1/4\nM:4/4\nK:C\nGABc|\n"
    first, second = candidates(book, "book.abc")
    assert first == Candidate(
        0, "Tune 3", Melody([60, -2, -2, -2, 62, -2, -2, -2, 64, -2, -2, -2], steps_per_bar=12), 12, 90.0
    )
    assert (second.track, second.name, second.melody.pitches) == (1, "Tune 7", (67, 69, 71, 72))


def test_the_likeliest_track_comes_first() -> None:
    bass = [(36 + 7 * (half % 2), 8 * half, 8 * half + 8) for half in range(32)]
    voice = [(60 + step % 5, 4 * step, 4 * step + 4) for step in range(32)]
    assert [found.name for found in candidates(_file({"Bass": bass, "Voice": voice}), "song.mid")] == ["Voice", "Bass"]


def test_a_long_one_is_cut_after_whole_bars() -> None:
    notes = [(60 + step % 12, step, step + 1) for step in range(600)]
    (common,) = candidates(_file({"": notes}), "song.mid")
    assert (len(common.melody), common.length) == (512, 600)
    (waltz,) = candidates(_file({"": notes}, (3, 4)), "song.mid")
    assert (len(waltz.melody), waltz.length) == (504, 600)
    assert waltz.melody.events == tuple(pitch for pitch, _, _ in notes[:504])


@pytest.mark.parametrize(
    ("data", "kind", "error"),
    [
        (b"", FormatError, "song.mid: "),
        (b"RIFF....WAVE", FormatError, "song.mid: "),
        (midi("00 90 3c"), FormatError, "song.mid: "),
        (midi(END), DataError, "song.mid: there is no melody in it, only drums or nothing at all"),
        (midi(f"00 99 26 40 83 60 89 26 00 {END}"), DataError, "song.mid: there is no melody in it"),
        (_file({"": [(60, 0, 1)]}, (17, 4)), DataError, "song.mid: its bars are longer than 64 16th notes"),
        (
            midi(*[f"{NOTE} {END}"] * 257),
            DataError,
            "song.mid: it has 257 tracks, and at most 256 can be shown",
        ),
    ],
)
def test_a_file_without_melody_is_refused(data: bytes, kind: type[Exception], error: str) -> None:
    with pytest.raises(kind) as caught:
        candidates(data, "song.mid")
    assert str(caught.value).startswith(error)


GOOD = _file({"Flute": [(72, 0, 2), (74, 4, 6)], "Lute": [(60, 4, 8), (64, 4, 8)]})


@pytest.mark.filterwarnings("ignore::ostinato.formats.Remark")
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=8), st.integers(0, len(GOOD)))
def test_a_damaged_file_is_read_or_refused(changes: list[tuple[int, int]], end: int) -> None:
    damaged = bytearray(GOOD)
    for place, octet in changes:
        damaged[place] = octet
    for data in (damaged, damaged[:end]):
        with contextlib.suppress(DataError, FormatError):
            for candidate in candidates(bytes(data), "song.mid"):
                assert 1 <= len(candidate.melody) <= 512
                assert candidate.melody.steps_per_bar <= 64
                assert candidate.melody.pitches
