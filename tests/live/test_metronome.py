from ostinato.live.clock import Grid
from ostinato.live.messages import note_off, note_on
from ostinato.live.metronome import Metronome
from ostinato.live.voices import Voices
from ostinato.music.meter import Meter


def test_a_click_is_short_and_the_downbeat_another_one() -> None:
    sent: list[bytes] = []
    # At 60 quarters a minute a beat is a second.
    metronome = Metronome(Grid(5.0, 60.0), Meter(2, 4), Voices(sent.append), 9)
    assert metronome.next_due == 5.0
    metronome.advance(5.0)
    assert sent == [note_on(9, 76, 120)]
    assert metronome.next_due == 5.03
    metronome.advance(5.02)
    assert len(sent) == 1
    metronome.advance(5.03)
    assert sent.pop() == note_off(9, 76)
    assert metronome.next_due == 6.0
    metronome.advance(6.0)
    assert sent.pop() == note_on(9, 77, 90)
    metronome.advance(7.0)
    assert sent[1:] == [note_off(9, 77), note_on(9, 76, 120)]


def test_of_missed_clicks_one_sounds() -> None:
    sent: list[bytes] = []
    metronome = Metronome(Grid(5.0, 60.0), Meter(2, 4), Voices(sent.append), 9)
    metronome.advance(3605.5)
    assert sent == [note_on(9, 76, 120)]
    assert metronome.next_due == 3605.53


def test_clicks_closer_than_they_are_long_are_told_apart() -> None:
    sent: list[bytes] = []
    metronome = Metronome(Grid(0.0, 400.0), Meter(3, 16), Voices(sent.append), 9)
    metronome.advance(0.0)
    metronome.advance(0.0375)
    metronome.advance(0.0375 + 0.001)
    assert sent == [note_on(9, 76, 120), note_off(9, 76), note_on(9, 77, 90)]
