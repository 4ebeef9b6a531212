"""What holds for every encoding."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.encodings import BarEncoding, Encoding, KeyEncoding, LookbackEncoding, OneHotEncoding
from ostinato.encodings.encoding import EventGate, check_pitch_range, checked_events
from ostinato.errors import DataError, SettingsError
from ostinato.music.melody import Melody
from ostinato.music.meter import Meter, plainest_meter

# Short distances, so that short melodies repeat at all of them.
ENCODINGS: list[Encoding] = [
    OneHotEncoding(60, 72),
    LookbackEncoding(60, 72, lookback_distances=(2, 5), counter_bits=3),
    LookbackEncoding(60, 72, lookback_distances=(), counter_bits=0),
    KeyEncoding(60, 72, lookback_distances=(1, 2, 4), counter_bits=3, steps_per_bar=3),
    KeyEncoding(0, 128, None),
    LookbackEncoding(60, 72, lookback_distances="bars", counter_bits=7),
    KeyEncoding(60, 72, lookback_distances="1,2,4 bars", counter_bits=6),
    BarEncoding(60, 72, lookback_distances="1,2 bars"),
    BarEncoding(60, 72, tells_beat=True, tells_matches=True, foretells_end=True),
    BarEncoding(60, 72, lookback_distances="1,2 bars", tells_chords=True),
]
METERS = st.integers(1, 20)
EVENTS = st.lists(st.sampled_from([-2, -1, 60, 61, 62, 64, 71]), max_size=40)
each_encoding = pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda encoding: type(encoding).__name__)


@each_encoding
@given(events=EVENTS, steps_per_bar=METERS)
def test_a_stepper_gives_the_numbers_of_the_whole_melody(
    encoding: Encoding, events: list[int], steps_per_bar: int
) -> None:
    stepper = encoding.stepper(1, plainest_meter(steps_per_bar))
    rows = [stepper.push(np.array([event])) for event in events]
    expected = encoding.inputs(Melody(events, steps_per_bar=steps_per_bar))
    assert expected.shape == (len(events), encoding.input_size)
    np.testing.assert_array_equal(np.concatenate([expected[:0], *rows]), expected, strict=True)


@each_encoding
@given(events=EVENTS, steps_per_bar=METERS)
def test_labels_decode_to_the_melody(encoding: Encoding, events: list[int], steps_per_bar: int) -> None:
    melody = Melody(events, steps_per_bar=steps_per_bar)
    stepper = encoding.stepper(1, plainest_meter(steps_per_bar))
    decoded = []
    along = encoding.class_events(melody)
    num_event_classes = encoding.num_classes - encoding.foretells_end
    assert along.shape == (len(events), num_event_classes)
    for event, label, expected in zip(melody, encoding.labels(melody), along, strict=True):
        classes = stepper.class_events()
        np.testing.assert_array_equal(classes[0], expected)
        assert classes.shape == (1, num_event_classes)
        decoded.append(int(classes[0, label]))
        stepper.push(np.array([event]))
    assert decoded == list(melody)


@each_encoding
@given(events=EVENTS.filter(bool))
def test_training_pairs_are_input_p_and_label_p_plus_1(encoding: Encoding, events: list[int]) -> None:
    melody = Melody(events)
    inputs, labels = encoding.encode(melody)
    np.testing.assert_array_equal(inputs, encoding.inputs(melody)[:-1], strict=True)
    np.testing.assert_array_equal(labels, encoding.labels(melody)[1:], strict=True)
    assert labels.dtype == np.int64


@each_encoding
@given(
    columns=st.lists(st.tuples(*[st.sampled_from([-2, -1, 60, 62, 71])] * 3), max_size=12),
    later=st.lists(st.tuples(*[st.sampled_from([-2, -1, 60, 62, 71])] * 4), max_size=6),
    rows=st.lists(st.integers(0, 2), min_size=4, max_size=4),
)
def test_chosen_rows_go_on_by_themselves(
    encoding: Encoding, columns: list[tuple[int, ...]], later: list[tuple[int, ...]], rows: list[int]
) -> None:
    stepper = encoding.stepper(3, Meter(4, 4))
    for column in columns:
        stepper.push(np.array(column))
    chosen = stepper.select(np.array(rows))
    pushed = [chosen.push(np.array(column)) for column in later]
    for place, row in enumerate(rows):
        melody = Melody([column[row] for column in columns] + [column[place] for column in later])
        expected = encoding.inputs(melody)[len(columns) :]
        np.testing.assert_array_equal(np.array([step[place] for step in pushed]).reshape(expected.shape), expected)
    # The stepper they were chosen from knows nothing of it.
    np.testing.assert_array_equal(
        stepper.push(np.array([60, 60, 60])),
        np.stack([encoding.inputs(Melody([*(column[row] for column in columns), 60]))[-1] for row in range(3)]),
    )


@each_encoding
def test_two_melodies_stay_apart(encoding: Encoding) -> None:
    first, second = [60, -2, 64, -1, 60, 60, -2], [-1, 62, 62, -2, 71, -2, -2]
    stepper = encoding.stepper(2, Meter(4, 4))
    rows = np.stack([stepper.push(np.array(pair)) for pair in zip(first, second, strict=True)])
    np.testing.assert_array_equal(rows[:, 0], encoding.inputs(Melody(first)))
    np.testing.assert_array_equal(rows[:, 1], encoding.inputs(Melody(second)))


@pytest.mark.parametrize("encoding", ENCODINGS[:4], ids=lambda encoding: type(encoding).__name__)
@pytest.mark.parametrize("pitch", [59, 72, 0, 127])
def test_a_pitch_outside_the_range_is_refused(encoding: Encoding, pitch: int) -> None:
    message = rf"event {pitch} is outside the encoding's pitches 60\.\.71; squash"
    for refused in (encoding.encode, encoding.inputs, encoding.labels):
        with pytest.raises(DataError, match=message):
            refused(Melody([60, pitch]))
    with pytest.raises(DataError, match=message):
        encoding.stepper(2, Meter(4, 4)).push(np.array([60, pitch]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OneHotEncoding(60, 71), "at least 12 apart"),
        (lambda: OneHotEncoding(-1, 84), r"within 0\.\.128"),
        (lambda: LookbackEncoding(48, 129), r"within 0\.\.128"),
        (lambda: KeyEncoding(48.0, 84), "must be integers"),  # type: ignore[arg-type]
        (lambda: OneHotEncoding(transpose_to_key=12), "transpose_to_key must be a key from 0"),
        (lambda: OneHotEncoding(transpose_to_key=-1), "transpose_to_key must be a key from 0"),
        (lambda: LookbackEncoding(lookback_distances=(32, 16)), "increasing whole numbers of steps"),
        (lambda: LookbackEncoding(lookback_distances=(0, 16)), "increasing whole numbers of steps"),
        (lambda: KeyEncoding(lookback_distances=(16, 16)), "increasing whole numbers of steps"),
        (lambda: KeyEncoding(lookback_distances=[16, 32]), "increasing whole numbers of steps"),  # type: ignore[arg-type]
        (lambda: KeyEncoding(lookback_distances=("16",)), "increasing whole numbers of steps"),  # type: ignore[arg-type]
        (lambda: KeyEncoding(lookback_distances=(16, 2**17)), r"steps in 1\.\.65536"),
        (lambda: LookbackEncoding(lookback_distances="beats"), 'such as "bars" for one and two'),
        (lambda: LookbackEncoding(lookback_distances="2,1 bars"), r"increasing numbers of bars in 1\.\.64"),
        (lambda: KeyEncoding(lookback_distances="0 bars"), r"increasing numbers of bars in 1\.\.64"),
        (lambda: KeyEncoding(lookback_distances="1,65 bars"), r"increasing numbers of bars in 1\.\.64"),
        (lambda: BarEncoding(lookback_distances="4,2 bars"), r"increasing numbers of bars in 1\.\.64"),
        (lambda: LookbackEncoding(counter_bits=-1), r"counter_bits must be an integer in 0\.\.62"),
        (lambda: KeyEncoding(steps_per_bar=0), "steps_per_bar must be an integer of at least 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(make: Callable[[], Encoding], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make()


def test_sizes_follow_the_settings() -> None:
    assert (OneHotEncoding().input_size, OneHotEncoding().num_classes) == (38, 38)
    assert (OneHotEncoding(0, 128, None).input_size, OneHotEncoding(0, 128, None).num_classes) == (130, 130)
    assert (LookbackEncoding().input_size, LookbackEncoding().num_classes) == (121, 40)
    assert (KeyEncoding().input_size, KeyEncoding().num_classes) == (74, 40)
    three = dataclasses.replace(KeyEncoding(), lookback_distances=(16, 32, 64), counter_bits=5)
    assert (three.input_size, three.num_classes) == (73, 41)


@pytest.mark.parametrize("kind", [LookbackEncoding, KeyEncoding])
@given(events=EVENTS.filter(bool))
def test_one_and_two_bars_of_4_4_are_16_and_32_steps(
    kind: type[LookbackEncoding] | type[KeyEncoding], events: list[int]
) -> None:
    melody = Melody(events * 2)
    for ours, magentas in zip(kind(lookback_distances="bars").encode(melody), kind().encode(melody), strict=True):
        np.testing.assert_array_equal(ours, magentas)


def test_a_range_is_an_octave_of_midi_at_least() -> None:
    check_pitch_range(0, 128, None)
    check_pitch_range(48, 60, 11)
    for low, high in ((48, 59), (-1, 60), (120, 129), (60, 48)):
        with pytest.raises(SettingsError, match=f"min_pitch={low} and max_pitch={high}"):
            check_pitch_range(low, high, 0)


def test_events_in_the_range_pass() -> None:
    assert checked_events(Melody([-2, 48, -1, 83]), 48, 84).tolist() == [-2, 48, -1, 83]
    assert checked_events(Melody([]), 48, 84).tolist() == []


@pytest.mark.parametrize("event", [-3, 0, 47, 84])
def test_a_gate_refuses_what_is_no_event_of_the_range(event: int) -> None:
    with pytest.raises(DataError, match=f"event {event} is outside"):
        EventGate(1, 48, 84).admit(np.array([event]))


def test_a_gate_hears_each_melody_begin() -> None:
    gate = EventGate(2, 48, 84)
    assert gate.admit(np.array([-1, 60])).tolist() == [-2, 60]
    assert gate.admit(np.array([-1, -1])).tolist() == [-2, -1]
    chosen = gate.select(np.array([1, 0, 1]))
    assert chosen.admit(np.array([-1, -1, -1])).tolist() == [-1, -2, -1]
    assert gate.admit(np.array([60, -2])).tolist() == [60, -2]
