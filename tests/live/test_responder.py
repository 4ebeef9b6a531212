import time
from itertools import count, islice

import pytest

import golden_files
from ostinato.bundle import load_bundle
from ostinato.errors import SettingsError
from ostinato.generation.model import Model
from ostinato.live.responder import Response, model_responder
from ostinato.music.melody import Melody
from ostinato.shipped import load_shipped

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
    assert response.melody(12) == Melody([60, 61, 62], 0, 12)
