import logging
from collections.abc import Callable

import pytest

from ostinato.live.voices import (
    Kind,
    Voice,
    Voices,
    channel_of,
    control_change,
    ends_all_notes,
    is_channel_message,
    kind,
    note_off,
    note_on,
    program_change,
)
from simulated_session import panic_of


def test_messages_as_their_bytes() -> None:
    # By the MIDI 1.0 specification: status byte with the channel in its low half, then data bytes.
    assert note_on(0, 60, 100) == b"\x90\x3c\x64"
    assert note_off(9, 60) == b"\x89\x3c\x00"
    assert control_change(15, 123, 0) == b"\xbf\x7b\x00"
    assert program_change(1, 24) == b"\xc1\x18"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"\x93\x3c\x01", Kind.NOTE_ON),
        (b"\x93\x3c\x00", Kind.NOTE_OFF),
        (b"\x83\x3c\x40", Kind.NOTE_OFF),
        (b"\xb3\x40\x7f", Kind.CONTROL),
        (b"\xc3\x18", Kind.PROGRAM),
        (b"\xe3\x00\x40", 0xE0),
    ],
)
def test_kinds(message: bytes, expected: int) -> None:
    assert kind(message) == expected
    assert channel_of(message) == 3
    assert is_channel_message(message)


@pytest.mark.parametrize("message", [b"\xf0\x01\xf7", b"\xf8", b"\xfe"])
def test_system_messages_have_no_channel(message: bytes) -> None:
    assert not is_channel_message(message)


@pytest.mark.parametrize(
    ("control", "ends"), [(64, False), (120, True), (121, False), (122, False), (123, True), (127, True)]
)
def test_controls_that_end_all_notes(control: int, ends: bool) -> None:
    assert ends_all_notes(control_change(0, control, 0)) is ends
    assert not ends_all_notes(note_on(0, control, 1))


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
