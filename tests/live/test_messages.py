import pytest

from ostinato.live import messages
from ostinato.live.messages import Kind


def test_messages_as_their_bytes() -> None:
    # By the MIDI 1.0 specification: status byte with the channel in its low half, then data bytes.
    assert messages.note_on(0, 60, 100) == b"\x90\x3c\x64"
    assert messages.note_off(9, 60) == b"\x89\x3c\x00"
    assert messages.control_change(15, 123, 0) == b"\xbf\x7b\x00"
    assert messages.program_change(1, 24) == b"\xc1\x18"


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (b"\x93\x3c\x01", Kind.NOTE_ON),
        (b"\x93\x3c\x00", Kind.NOTE_OFF),
        (b"\x83\x3c\x40", Kind.NOTE_OFF),
        (b"\xb3\x40\x7f", Kind.CONTROL),
        (b"\xc3\x18", Kind.PROGRAM),
        (b"\xe3\x00\x40", 0xE0),
    ],
)
def test_kinds(message: bytes, kind: int) -> None:
    assert messages.kind(message) == kind
    assert messages.channel_of(message) == 3
    assert messages.is_channel_message(message)


@pytest.mark.parametrize("message", [b"\xf0\x01\xf7", b"\xf8", b"\xfe"])
def test_system_messages_have_no_channel(message: bytes) -> None:
    assert not messages.is_channel_message(message)


@pytest.mark.parametrize(
    ("control", "ends"), [(64, False), (120, True), (121, False), (122, False), (123, True), (127, True)]
)
def test_controls_that_end_all_notes(control: int, ends: bool) -> None:
    assert messages.ends_all_notes(messages.control_change(0, control, 0)) is ends
    assert not messages.ends_all_notes(messages.note_on(0, control, 1))
