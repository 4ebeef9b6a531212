from hypothesis import given
from hypothesis import strategies as st

from ostinato.dataset.duplicates import SeenMelodies, fingerprint
from ostinato.music.melody import Melody
from ostinato.music.transpose import transpose


@given(st.lists(st.integers(-2, 127).map(lambda event: event if event < 0 else 30 + event // 2), max_size=20))
def test_a_melody_is_itself_at_any_pitch_level_and_in_any_meter(events: list[int]) -> None:
    melody = Melody(events)
    assert fingerprint(transpose(melody, 7)) == fingerprint(melody)
    assert fingerprint(Melody(events, 32, 12)) == fingerprint(melody)


def test_other_notes_and_other_rhythms_are_other_melodies() -> None:
    events = [[60, 62], [62, 60], [60, 74], [60, -2, 62], [60, -1, 62], [60, 62, -2], [60], [60, -2], [60, -1], []]
    assert len({fingerprint(Melody(each)) for each in events}) == len(events)
    assert len(fingerprint(Melody([127, 0]))) == 16


def test_a_melody_is_new_once() -> None:
    seen = SeenMelodies()
    assert seen.admits((b"a", b"b"))
    assert not seen.admits((b"c", b"b"))
    assert seen.admits((b"c",))
