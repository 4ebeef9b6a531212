import logging
from collections.abc import Callable

import pytest

from ostinato.live.messages import control_change, note_off, note_on, program_change
from ostinato.live.voices import Voice, Voices
from simulated_session import panic_of


def test_a_pitch_sounds_once_and_its_last_player_ends_it() -> None:
    sent: list[bytes] = []
    voices = Voices(sent.append)
    voices.start(Voice.MODEL, 0, 60, 90)
    voices.start(Voice.PLAYER, 0, 60, 80)
    voices.end(Voice.MODEL, 0, 60)
    voices.start(Voice.PLAYER, 1, 60, 70)
    voices.end(Voice.PLAYER, 0, 60)
    voices.end(Voice.PLAYER, 0, 60)
    assert sent == [
        note_on(0, 60, 90),
        note_off(0, 60),
        note_on(0, 60, 80),
        note_on(1, 60, 70),
        note_off(0, 60),
    ]


def test_panic_ends_what_sounds_and_silences_what_was_used() -> None:
    sent: list[bytes] = []
    voices = Voices(sent.append)
    voices.send(program_change(3, 5))
    voices.start(Voice.MODEL, 0, 60, 90)
    voices.start(Voice.MODEL, 0, 62, 90)
    voices.end(Voice.MODEL, 0, 62)
    del sent[:]
    voices.panic()
    assert sent == [note_off(0, 60), *panic_of(0), *panic_of(3)]
    del sent[:]
    voices.panic()
    assert sent == [*panic_of(0), *panic_of(3)]


def failing(sent: list[bytes], times: int, error: BaseException) -> Callable[[bytes], None]:
    """An output that fails so many times, then works."""
    left = times

    def send(message: bytes) -> None:
        nonlocal left
        if left:
            left -= 1
            raise error
        sent.append(message)

    return send


def test_a_note_whose_start_failed_is_ended_all_the_same() -> None:
    sent: list[bytes] = []
    voices = Voices(failing(sent, 1, OSError("no")))
    with pytest.raises(OSError, match="no"):
        voices.start(Voice.MODEL, 0, 60, 90)
    voices.panic()
    assert sent == [note_off(0, 60), *panic_of(0)]


def test_panic_goes_on_past_errors_and_tries_again(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[bytes] = []
    voices = Voices(failing(sent, 2, OSError("busy")))
    with pytest.raises(OSError, match="busy"):
        voices.start(Voice.MODEL, 0, 60, 90)
    with caplog.at_level(logging.WARNING):
        voices.panic()
    assert sent == [*panic_of(0), note_off(0, 60)]
    assert not caplog.records


def test_panic_says_what_it_could_not_send(caplog: pytest.LogCaptureFixture) -> None:
    voices = Voices(failing([], 100, OSError("the cable is out")))
    with pytest.raises(OSError, match="the cable"):
        voices.start(Voice.MODEL, 0, 60, 90)
    voices.panic()
    assert caplog.messages == ["4 messages that end notes could not be sent: the cable is out"]


def test_panic_is_not_interrupted() -> None:
    sent: list[bytes] = []
    left = 1

    def send(message: bytes) -> None:
        nonlocal left
        if message == control_change(0, 64, 0) and left:
            left -= 1
            raise KeyboardInterrupt
        sent.append(message)

    voices = Voices(send)
    voices.start(Voice.MODEL, 0, 60, 90)
    with pytest.raises(KeyboardInterrupt):
        voices.panic()
    assert set(sent[1:]) == {note_off(0, 60), *panic_of(0)}
