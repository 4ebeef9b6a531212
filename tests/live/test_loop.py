from collections.abc import Iterator

import pytest

from ostinato.live.loop import POLL_SECONDS
from ostinato.live.messages import note_off, note_on
from ostinato.live.session import SessionSettings, State
from ostinato.music.melody import Melody
from simulated_session import START, Stage, panic_of, quarters, sounding

CALL = quarters([60, 62, 64, 65])
# Of the four states: nothing played, in the call, in the response, in its second time through.
MOMENTS = {"listening": 0.0, "call": 1.2, "response": 4.6, "repeat": 6.6}
LOOPING = SessionSettings(passthrough=True, loop=True, channel=1)


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_every_state_can_be_left(moment: float) -> None:
    stage = Stage(CALL, [72], LOOPING).play(moment)
    sent = [message for _, message in stage.sent]
    assert sounding(sent) == set()
    used = sorted({message[0] & 15 for message in sent})
    assert sent[len(sent) - 3 * len(used) :] == [message for channel in used for message in panic_of(channel)]


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_every_state_can_be_broken_off(moment: float) -> None:
    stage = Stage(CALL, [72], LOOPING)

    def breaks() -> bool:
        if stage.clock.now() - START >= moment:
            raise RuntimeError("broken")
        return False

    with pytest.raises(RuntimeError, match="broken"):
        stage.play(100, breaks)
    assert sounding(message for _, message in stage.sent) == set()


def test_an_error_of_the_model_leaves_silence() -> None:
    class Failing(Stage):
        def respond(self, call: Melody, temperature: float) -> Iterator[int]:
            raise RuntimeError("no idea")

    script = [*quarters([60]), (1.0, note_on(0, 70, 80))]
    stage = Failing(script, settings=SessionSettings(passthrough=True, call_bars=1, metronome=False))
    with pytest.raises(RuntimeError, match="no idea"):
        stage.play(5)
    # Half a 16th before the bar line at 2 s.
    assert stage.sent[-4][0] == pytest.approx(1.9375, abs=0.002)
    assert [message for _, message in stage.sent[-4:]] == [note_off(0, 70), *panic_of(0)]


def test_a_message_waits_no_longer_than_the_poll() -> None:
    script = [(0.0313, note_on(0, 60, 80)), (0.7777, note_off(0, 60))]
    stage = Stage(script, settings=SessionSettings(passthrough=True)).play(1)
    ((heard, _),) = stage.started()
    assert 0 <= heard - 0.0313 <= POLL_SECONDS + 1e-9


def test_everything_on_the_grid_is_played_at_its_exact_moment() -> None:
    stage = Stage(CALL, range(60, 76), SessionSettings(response_bars=1)).play(8)
    # The call ends at step 15, its silence at 31; the beat after that is step 32: 4 s.
    assert stage.started() == [(4.0 + number / 8, 60 + number) for number in range(16)]
    assert stage.ended() == [(4.0 + (number + 1) / 8, 60 + number) for number in range(16)]
    assert [seconds for seconds, _ in stage.started(9)] == [number / 2 for number in range(len(stage.started(9)))]


def test_a_finished_session_ends_the_loop() -> None:
    stage = Stage(CALL, [72], SessionSettings(num_rounds=1)).play(100)
    assert stage.session.state is State.FINISHED
    assert stage.clock.now() - START == pytest.approx(6.0, abs=0.002)
