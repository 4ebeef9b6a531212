from hypothesis import given
from hypothesis import strategies as st

from ostinato.live.listening import Call
from ostinato.music.melody import Melody

Note = tuple[int, int, int | None]  # pitch, start, end


def call_of(*notes: Note, first_step: int = 0) -> Call:
    """A call whose keys go up and down in the order of time; where one of each comes together, up goes first."""
    call = Call(first_step, 16)
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
    call = Call(0, 16)
    call.press(0, 60, 80, 3)
    call.release(0, 60, 3)
    assert call.melody(6) == Melody([-2, -2, -2, 60, -1, -2])


def test_channels_are_told_apart() -> None:
    call = Call(0, 16)
    call.press(0, 60, 80, 0)
    call.release(1, 60, 2)
    call.release_all(1, 2)
    assert call.silent_from == 64
    call.release_all(0, 3)
    assert call.silent_from == 3


def test_a_key_that_goes_down_twice_went_up_between() -> None:
    call = Call(0, 16)
    call.press(0, 60, 100, 0)
    call.press(0, 60, 51, 4)
    call.release(0, 60, 6)
    assert call.melody(8) == Melody([60, -2, -2, -2, 60, -2, -1, -2])
    assert call.silent_from == 6
    assert call.velocity == 76


def test_a_call_begins_at_its_bar_line() -> None:
    assert call_of((60, 36, 38), first_step=32).melody(40) == Melody([-2, -2, -2, -2, 60, -2, -1, -2], 32)


def test_of_a_long_call_the_last_16_bars_are_kept() -> None:
    call = Call(0, 16)
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
