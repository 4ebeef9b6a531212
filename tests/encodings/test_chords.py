import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ostinato.encodings import BarEncoding
from ostinato.encodings.chords import LOOKAHEAD_STEPS, NUM_CHORD_INPUTS, chord_inputs
from ostinato.music.chords import ChordTrack, Progression, chord_track
from ostinato.music.melody import Melody
from ostinato.music.meter import Meter

ENCODING = BarEncoding(60, 72, lookback_distances="1,2 bars", tells_chords=True)
PLAIN = BarEncoding(60, 72, lookback_distances="1,2 bars")

NAMES = st.sampled_from(["C", "Am7", "G7/B", "F#dim", "N.C."])
TRACKS = st.dictionaries(st.integers(0, 60), NAMES, max_size=5).map(lambda chords: chord_track(sorted(chords.items())))


def told(chords: ChordTrack, step: int) -> list[int]:
    return [int(place) for place in chord_inputs(Progression(chords), step).nonzero()[0]]


def test_chords_by_hand() -> None:
    chords = ((4, "Am"), (20, "G7/B"), (80, "N.C."), (90, "C"))
    # Before the first chord none is known; Am begins in four steps: within 4, 8, 16, 32.
    am, g7 = [9, 12 + 9, 12 + 0, 12 + 4], [7, 12 + 7, 12 + 11, 12 + 2, 12 + 5]
    assert told(chords, 0) == sorted([*(25 + place for place in am), 50, 51, 52, 53])
    assert told(chords, 4) == sorted([*am, 24, *(25 + place for place in g7), 52, 53])
    assert told(chords, 19) == sorted([*am, *(25 + place for place in g7), 49, 50, 51, 52, 53])
    # Then comes silence, of which nothing is told; what comes after that is no next chord yet.
    assert told(chords, 21) == sorted(g7)
    assert told(chords, 80) == [*sorted(25 + place for place in (0, 12, 16, 19)), 52, 53]
    assert told(chords, 91) == [0, 12, 16, 19]
    assert told((), 0) == []
    # Two bars of 4/4 ahead, and no step more.
    assert told(((0, "C"), (LOOKAHEAD_STEPS, "Am")), 0)[5:] == [*sorted(25 + place for place in am), 53]
    assert told(((0, "C"), (LOOKAHEAD_STEPS + 1, "Am")), 0) == [0, 12, 16, 19, 24]


def test_the_last_inputs_are_those_of_the_chords() -> None:
    melody = Melody([60, -2, 64, -1, -2, 67], chords=[(2, "C"), (5, "G")])
    inputs = ENCODING.inputs(melody)
    assert ENCODING.num_chord_inputs == NUM_CHORD_INPUTS == 54
    assert ENCODING.input_size == PLAIN.input_size + 54
    np.testing.assert_array_equal(inputs[:, :-54], PLAIN.inputs(melody))
    progression = Progression(melody.chords)
    # After step p comes step p + 1.
    for place, row in enumerate(inputs):
        np.testing.assert_array_equal(row[-54:], chord_inputs(progression, place + 1))
    assert not ENCODING.inputs(Melody(melody.events))[:, -54:].any()
    np.testing.assert_array_equal(ENCODING.labels(melody), PLAIN.labels(melody))


def test_chords_move_with_the_melody() -> None:
    melody = Melody([62, -2, 66, -2, 69, -2, 62], chords=[(0, "D"), (4, "A7")])
    moved, semitones = BarEncoding(tells_chords=True).squash(melody)
    assert (semitones, moved.chords) == (-2, ((0, "C"), (4, "G7")))


@given(
    tracks=st.lists(TRACKS, min_size=2, max_size=2), events=st.lists(st.sampled_from([-2, -1, 60, 64, 71]), max_size=40)
)
def test_a_stepper_tells_the_chords_of_each_melody(tracks: list[ChordTrack], events: list[int]) -> None:
    both = ENCODING.stepper(2, Meter(4, 4), [Progression(chords) for chords in tracks])
    swapped = both.select(np.array([1, 0, 1]))
    alone = ENCODING.stepper(2, Meter(4, 4), [Progression(tracks[0])])
    expected = [ENCODING.inputs(Melody(events, chords=chords)) for chords in tracks]
    for place, event in enumerate(events):
        np.testing.assert_array_equal(both.push(np.array([event, event])), [rows[place] for rows in expected])
        np.testing.assert_array_equal(swapped.push(np.array([event] * 3)), [expected[row][place] for row in (1, 0, 1)])
        np.testing.assert_array_equal(alone.push(np.array([event, event])), [expected[0][place]] * 2)
