import time
from itertools import count, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

import golden_files
from ostinato.bundle import load_bundle
from ostinato.errors import SettingsError
from ostinato.generation.model import Model
from ostinato.live.turns import Call, Response, model_responder
from ostinato.music.melody import Melody
from ostinato.music.meter import Meter
from ostinato.shipped import load_shipped

Note = tuple[int, int, int | None]  # pitch, start, end


def call_of(*notes: Note, first_step: int = 0) -> Call:
    """A call whose keys go up and down in the order of time; where one of each comes together, up goes first."""
    call = Call(first_step, Meter(4, 4))
    moves = [(start, 1, pitch) for pitch, start, _ in notes]
    moves += [(end, 0, pitch) for pitch, _, end in notes if end is not None]
    for step, goes_down, pitch in sorted(moves):
        if goes_down:
            call.press(0, pitch, 80, step)
        else:
            call.release(0, pitch, step)
    return call


def test_notes_and_rests() -> None:
    call = call_of((60, 0, 4), (62, 4, 6), (64, 9, 10))
    assert call.melody(12) == Melody([60, -2, -2, -2, 62, -2, -1, -2, -2, 64, -1, -2])
    assert call.silent_from == 10


def test_the_end_of_a_note_at_the_calls_end_is_no_event() -> None:
    assert call_of((60, 0, 4)).melody(4) == Melody([60, -2, -2, -2])


def test_a_note_held_sounds_on() -> None:
    call = call_of((60, 2, None))
    assert call.melody(4) == Melody([-2, -2, 60, -2])
    assert call.silent_from == 2 + 4 * 16


def test_a_later_note_cuts_and_of_a_chord_the_highest_is_sung() -> None:
    call = call_of((48, 0, 12), (60, 0, 3), (64, 0, 2), (62, 4, 6))
    assert call.melody(12) == Melody([64, -2, -1, -2, 62, -2, -1, -2, -2, -2, -2, -2])
    assert call.silent_from == 12  # the low note sounds until then


def test_a_note_shorter_than_a_step_gets_one() -> None:
    call = Call(0, Meter(4, 4))
    call.press(0, 60, 80, 3)
    call.release(0, 60, 3)
    assert call.melody(6) == Melody([-2, -2, -2, 60, -1, -2])


def test_channels_are_told_apart() -> None:
    call = Call(0, Meter(4, 4))
    call.press(0, 60, 80, 0)
    call.release(1, 60, 2)
    call.release_all(1, 2)
    assert call.silent_from == 64
    call.release_all(0, 3)
    assert call.silent_from == 3


def test_a_key_that_goes_down_twice_went_up_between() -> None:
    call = Call(0, Meter(4, 4))
    call.press(0, 60, 100, 0)
    call.press(0, 60, 51, 4)
    call.release(0, 60, 6)
    assert call.melody(8) == Melody([60, -2, -2, -2, 60, -2, -1, -2])
    assert call.silent_from == 6
    assert call.velocity == 76


def test_a_call_begins_at_its_bar_line() -> None:
    assert call_of((60, 36, 38), first_step=32).melody(40) == Melody([-2, -2, -2, -2, 60, -2, -1, -2], 32)


def test_of_a_long_call_the_last_16_bars_are_kept() -> None:
    call = Call(0, Meter(4, 4))
    for step in range(40 * 16):
        call.press(0, 60, 80, step)
        call.release(0, 60, step + 1)
    assert call.melody(40 * 16) == Melody([60] * 16 * 16, 24 * 16)
    # It begins at a bar line even if it ends elsewhere.
    assert call.melody(40 * 16 - 3) == Melody([60] * (16 * 16 - 3), 24 * 16)


@given(
    st.lists(st.tuples(st.integers(0, 127), st.integers(0, 60), st.integers(1, 20)), min_size=1), st.integers(61, 99)
)
def test_every_melody_note_was_played_then(played: list[tuple[int, int, int]], end_step: int) -> None:
    call = call_of(*((pitch, start, start + length) for pitch, start, length in played))
    melody = call.melody(end_step)
    assert len(melody) == end_step
    highest = {start: max(pitch for pitch, other, _ in played if other == start) for _, start, _ in played}
    assert {step: event for step, event in enumerate(melody) if event >= 0} == highest


BUNDLE = golden_files.SMALL.parent / "gold_attention.mag"
CALL = Melody([60, -2, 62, -2, 64, -1, -2, -2] * 8)  # four bars


@pytest.fixture(name="model", scope="module")
def _model() -> Model:
    return Model(load_bundle(BUNDLE))


def test_a_seed_gives_the_same_responses_round_for_round(model: Model) -> None:
    def rounds(seed: int) -> list[list[int]]:
        respond = model_responder(model, seed)
        return [list(islice(respond(CALL, 1.0), 64)) for _ in range(2)]

    first = rounds(3)
    assert rounds(3) == first
    assert first[0] != first[1]
    assert rounds(4) != first


def test_the_temperature_is_that_of_the_model(model: Model) -> None:
    # Next to 0 the likeliest event is always drawn, whatever the seed.
    coldest = [list(islice(model_responder(model, seed)(CALL, 1e-4), 32)) for seed in (0, 1)]
    assert coldest[0] == coldest[1]
    with pytest.raises(SettingsError):
        model_responder(model, 0)(CALL, 0.0)


def test_four_bars_are_computed_in_less_than_a_beat() -> None:
    # benchmarks/jam.py has the time itself, a tenth of this.
    respond = model_responder(Model(load_shipped()), 0)
    seconds = []
    for _ in range(9):  # of which one is not disturbed
        start = time.thread_time()
        list(islice(respond(CALL, 1.0), 64))
        seconds.append(time.thread_time() - start)
    assert min(seconds) < 0.5


def test_events_are_drawn_one_ahead() -> None:
    drawn: list[int] = []

    def draw(event: int) -> int:
        drawn.append(event)
        return event

    response = Response(map(draw, count(60)), start_step=8, num_steps=3)
    assert drawn == [60]
    assert (response.next_step, response.end_step, response.is_over) == (8, 11, False)
    assert response.take() == 60
    assert drawn == [60]
    response.draw_ahead()
    response.draw_ahead()
    assert drawn == [60, 61]
    assert [response.take(), response.take()] == [61, 62]
    response.draw_ahead()
    assert drawn == [60, 61, 62]
    assert (response.next_step, response.is_over, response.is_repeated) == (11, True, False)
    response.begin_again()
    assert (response.next_step, response.end_step, response.is_over, response.is_repeated) == (11, 14, False, True)
    assert [response.take() for _ in range(3)] == [60, 61, 62]
    assert drawn == [60, 61, 62]
    assert response.melody(Meter(3, 4)) == Melody([60, 61, 62], 0, 12)
