import numpy as np
import pytest

from ostinato.encodings.pitches import EventGate, check_pitch_range, checked_events
from ostinato.errors import DataError, SettingsError
from ostinato.music.melody import Melody


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
    with pytest.raises(DataError, match=f"event {event} lies outside"):
        EventGate(1, 48, 84).admit(np.array([event]))


def test_a_gate_hears_each_melody_begin() -> None:
    gate = EventGate(2, 48, 84)
    assert gate.admit(np.array([-1, 60])).tolist() == [-2, 60]
    assert gate.admit(np.array([-1, -1])).tolist() == [-2, -1]
    chosen = gate.select(np.array([1, 0, 1]))
    assert chosen.admit(np.array([-1, -1, -1])).tolist() == [-1, -2, -1]
    assert gate.admit(np.array([60, -2])).tolist() == [60, -2]
