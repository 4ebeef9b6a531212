"""Meters that the notes contradict, and how they are put right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from note_sequences import STEP, add, sequence
from ostinato.errors import SettingsError
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.music.mending import in_meter, mend_meter


def chords(steps_per_bar: int, first_step: int, bars: int = 12) -> NoteSequence:
    """A chord over a bass note at the beginning of each bar, and a quarter note above on each beat."""
    made = NoteSequence(filename="tune.mid")
    for bar in range(first_step, first_step + bars * steps_per_bar, steps_per_bar):
        end = bar + steps_per_bar
        add(made, (36 + bar % 7, bar, end), (60, bar, end), (64, bar, end))
        add(made, *[(72, step, step + 4) for step in range(bar, end, 4)])
    return made


def with_meters(made: NoteSequence, *meters: tuple[int, int, int]) -> NoteSequence:
    """The same with meters of (step, numerator, denominator)."""
    for step, numerator, denominator in meters:
        made.time_signatures.add(time=step * STEP, numerator=numerator, denominator=denominator)
    return made


def meters_of(made: NoteSequence) -> list[tuple[float, int, int]]:
    return [(meter.time / STEP, meter.numerator, meter.denominator) for meter in made.time_signatures]


def starts_of(made: NoteSequence) -> list[float]:
    return [note.start_time / STEP for note in made.notes]


@pytest.mark.parametrize(("meter", "steps", "pad"), [((1, 4), 4, 12), ((1, 4), 8, 8), ((1, 4), 16, 0), ((3, 8), 6, 10)])
def test_an_upbeat_is_filled_up_to_a_bar(meter: tuple[int, int], steps: int, pad: int) -> None:
    made = with_meters(chords(16, steps), (0, *meter), (steps, 4, 4))
    add(made, (67, 0, steps))
    before = made.SerializeToString()
    mended, remarks = mend_meter(made)
    assert remarks == [f"the opening {meter[0]}/{meter[1]} is an upbeat to 4/4 and was filled up to a whole bar"]
    assert meters_of(mended) == [(0, 4, 4)]
    assert starts_of(mended) == pytest.approx([start + pad for start in starts_of(made)])
    assert mended.total_time == pytest.approx(made.total_time + pad * STEP)
    assert made.SerializeToString() == before


def test_a_later_meter_moves_with_the_upbeat() -> None:
    made = with_meters(chords(16, 4), (0, 1, 4), (4, 4, 4), (68, 3, 4))
    add(made, (67, 0, 4))
    assert meters_of(mend_meter(made)[0]) == [(0, 4, 4), (80, 3, 4)]


def test_a_long_opening_in_one_has_the_bars_of_what_follows() -> None:
    made = with_meters(chords(16, 4), (0, 1, 4), (36, 4, 4))
    mended, remarks = mend_meter(made)
    assert (meters_of(mended), remarks) == ([(0, 4, 4)], ["the opening 1/4 is 4/4 too"])
    assert starts_of(mended)[0] == pytest.approx(16)


def test_what_follows_an_upbeat_is_looked_at_too() -> None:
    """The chords are two steps late."""
    made = with_meters(chords(16, 6), (0, 1, 4), (4, 4, 4))
    add(made, (67, 0, 6))
    mended, remarks = mend_meter(made)
    assert remarks == [
        "the opening 1/4 is an upbeat to 4/4 and was filled up to a whole bar",
        "the bar lines of 4/4 are 2 16ths later than in the file",
    ]
    # 12 steps fill up the upbeat, 14 bring the chords to the next bar line.
    assert starts_of(mended)[0] == pytest.approx(6 + 12 + 14)


def test_an_opening_without_a_note_is_left() -> None:
    made = with_meters(chords(16, 4), (0, 1, 4), (4, 4, 4))
    assert mend_meter(made) == (made, [])


@pytest.mark.parametrize(
    ("steps_per_bar", "place", "meter"), [(16, 0, (4, 4)), (16, 4, (4, 4)), (16, 13, (4, 4)), (12, 8, (3, 4))]
)
def test_nobody_counts_in_one(steps_per_bar: int, place: int, meter: tuple[int, int]) -> None:
    mended, remarks = mend_meter(with_meters(chords(steps_per_bar, place), (0, 1, 4)))
    text = f"{meter[0]}/{meter[1]}"
    later = [f"the bar lines of {text} are {place} 16ths later than in the file"] if place else []
    assert remarks == [f"the notes fit bars of {text}, not 1/4", *later]
    assert meters_of(mended) == [(0, *meter)]
    assert starts_of(mended)[0] == pytest.approx(steps_per_bar if place else 0)


@pytest.mark.parametrize("step", [0, 32])
def test_the_meter_of_most_notes_counts(step: int) -> None:
    mended, remarks = mend_meter(with_meters(chords(16, 0), (0, 4, 4), (step, 1, 4)))
    assert (meters_of(mended), remarks) == ([(0, 4, 4)], ["the notes fit bars of 4/4, not 1/4"])


@pytest.mark.parametrize("place", [2, 4, 12])
def test_bar_lines_go_where_the_chords_begin(place: int) -> None:
    mended, remarks = mend_meter(chords(16, place))
    assert remarks == [f"the bar lines of 4/4 are {place} 16ths later than in the file"]
    assert starts_of(mended) == pytest.approx([start - place + 16 for start in starts_of(chords(16, place))])
    assert mend_meter(mended) == (mended, [])


def test_notes_beside_the_grid_are_put_onto_it() -> None:
    """All are 4.3 steps late: 12 steps less 0.3 bring them to a bar line."""
    made = chords(16, 4)
    for note in made.notes:
        note.start_time += 0.3 * STEP
        note.end_time += 0.3 * STEP
    assert starts_of(mend_meter(made)[0])[0] == pytest.approx(16)


def test_another_meter_that_fits_much_better() -> None:
    mended, remarks = mend_meter(with_meters(chords(12, 0, bars=20), (0, 4, 4)))
    assert (meters_of(mended), remarks) == ([(0, 3, 4)], ["the notes fit bars of 3/4, not 4/4"])


def test_one_voice_that_hardly_begins_on_a_bar_line() -> None:
    """Ten bars of 3/4, each a half note and a quarter, an eighth late; the last has a note on its line."""
    tune = [note for bar in range(2, 122, 12) for note in ((60, bar, bar + 8), (62, bar + 8, bar + 12))]
    made = with_meters(sequence(*tune), (0, 3, 4))
    mended, remarks = mend_meter(made)
    assert remarks == ["the bar lines of 3/4 are 2 16ths later than in the file"]
    assert starts_of(mended)[:2] == pytest.approx([12, 20])
    # A note on the line of two bars in eleven is not hardly.
    for line in (12, 24):
        add(made, (65, line, line + 1))
    assert mend_meter(made) == (made, [])


@pytest.mark.parametrize(
    "made",
    [
        chords(16, 0),
        chords(16, 8),  # half a bar
        with_meters(chords(12, 0), (0, 3, 4)),
        with_meters(chords(12, 0), (0, 6, 8)),
        with_meters(chords(16, 0), (0, 2, 4)),
        with_meters(chords(16, 0), (0, 2, 2)),
        with_meters(chords(16, 0), (0, 4, 4), (176, 1, 4)),
        with_meters(chords(16, 0), (0, 4, 4), (64, 1, 4), (68, 4, 4)),
        with_meters(chords(16, 4, bars=5), (0, 4, 4)),  # too few bars to tell
        with_meters(chords(16, 4), (0, 4, 4), (68, 3, 4)),  # meters that change
        with_meters(chords(16, 4), (0, 3, 32)),
        with_meters(sequence(*[(60, step, step + 1) for step in range(10**8, 2 * 10**9, 10**8)]), (0, 10**7, 4)),
        sequence(*[(60 + step % 5, 2 * step, 2 * step + 2) for step in range(128)]),
    ],
)
def test_what_the_notes_do_not_contradict_stays(made: NoteSequence) -> None:
    mended, remarks = mend_meter(made)
    assert mended is made
    assert remarks == []


def test_a_tempo_that_changes_within_a_bar_gives_way() -> None:
    """Half a bar at 120 quarters a minute, the rest at 60: there a step lasts twice as long."""
    made = NoteSequence()
    for step in range(0, 160, 4):
        start = step * STEP if step < 8 else (2 * step - 8) * STEP
        made.notes.add(pitch=60, velocity=80, start_time=start, end_time=start + STEP)
    made.total_time = made.notes[-1].end_time
    made.tempos.add(time=0, qpm=120)
    made.tempos.add(time=8 * STEP, qpm=60)
    mended, remarks = mend_meter(made)
    assert remarks == ["the tempo changes within bars: 60 quarter notes a minute holds throughout"]
    assert [(tempo.time, tempo.qpm) for tempo in mended.tempos] == [(0, 60)]
    assert [note.start_time for note in mended.notes] == [step * 2 * STEP for step in range(0, 160, 4)]


@pytest.mark.parametrize("step", [32, 10_000])
def test_a_tempo_that_changes_on_a_bar_line_or_after_the_notes_stays(step: int) -> None:
    made = chords(16, 0)
    made.tempos.add(time=0, qpm=120)
    made.tempos.add(time=step * STEP, qpm=120.5)
    assert mend_meter(made)[1] == []


def test_all_that_has_a_time_moves_along() -> None:
    made = with_meters(chords(16, 4), (0, 4, 4))
    made.key_signatures.add(time=0)
    made.key_signatures.add(time=4 * STEP)
    made.text_annotations.add(time=4 * STEP, text="Am")
    made.control_changes.add(time=4 * STEP)
    made.pitch_bends.add(time=4 * STEP)
    made.section_annotations.add(time=4 * STEP)
    mended, _ = mend_meter(made)
    # What holds from the beginning holds in the silence before it too.
    assert [key.time / STEP for key in mended.key_signatures] == [0, 16]
    for events in (mended.text_annotations, mended.control_changes, mended.pitch_bends, mended.section_annotations):
        assert [event.time / STEP for event in events] == [16]
    assert mended.filename == "tune.mid"


def test_what_is_no_music_is_left_alone() -> None:
    assert mend_meter(NoteSequence()) == (NoteSequence(), [])
    drums = sequence(*[(36, step, step + 1) for step in range(2, 300, 16)], is_drum=True)
    assert mend_meter(drums) == (drums, [])
    for qpm in (0.0, -1.0, float("nan"), float("inf")):
        made = chords(16, 4)
        made.tempos.add(qpm=qpm)
        assert mend_meter(made)[0] is made
    for meter in ((0, 4), (4, 0), (-4, 4)):
        made = with_meters(chords(16, 4), (0, *meter))
        assert mend_meter(made)[0] is made
    for seconds in (float("nan"), float("inf"), -1.0, 1e300):
        made = chords(16, 4)
        made.notes[0].start_time = made.notes[0].end_time = seconds
        assert mend_meter(made)[0] is made


@given(
    st.lists(st.tuples(st.integers(0, 127), st.integers(0, 300), st.integers(1, 40)), min_size=1, max_size=60),
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 6), st.sampled_from([2, 4, 8, 32])), max_size=3),
    st.lists(st.tuples(st.integers(0, 300), st.sampled_from([60.0, 90.0, 120.0])), max_size=3),
)
def test_mending_keeps_every_note(
    notes: list[tuple[int, int, int]], meters: list[tuple[int, int, int]], tempos: list[tuple[int, float]]
) -> None:
    made = with_meters(sequence(*[(pitch, start, start + length) for pitch, start, length in notes]), *meters)
    for step, qpm in tempos:
        made.tempos.add(time=step * STEP, qpm=qpm)
    mended, remarks = mend_meter(made)
    assert (mended is made) == (not remarks)
    assert [note.pitch for note in mended.notes] == [note.pitch for note in made.notes]
    assert all(0 <= note.start_time < note.end_time <= mended.total_time + 1e-9 for note in mended.notes)
    order = sorted(range(len(notes)), key=lambda index: made.notes[index].start_time)
    starts = [mended.notes[index].start_time for index in order]
    assert starts == sorted(starts)


def test_a_meter_that_is_asked_for_holds_from_beginning_to_end() -> None:
    made = sequence((60, 0, 4), (62, 60, 64))
    assert in_meter(made, "file") == (made, [])
    assert in_meter(made, "4/4") == (made, [])  # which holds until a sequence says otherwise
    made.time_signatures.add(numerator=4, denominator=4)
    made.time_signatures.add(time=16 * STEP, numerator=3, denominator=4)
    changed, told = in_meter(made, "6/8")
    assert [(one.time, one.numerator, one.denominator) for one in changed.time_signatures] == [(0, 6, 8)]
    assert told == ["it is read in 6/8, as you asked; the file says 3/4, 4/4"]
    assert len(made.time_signatures) == 2
    assert changed.notes == made.notes
    with pytest.raises(SettingsError, match="'four' is not a meter"):
        in_meter(made, "four")
