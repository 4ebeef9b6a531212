import pytest

from ostinato.music.programs import PROGRAM_NAMES, instrument_name


def test_each_program_has_a_name_of_its_own() -> None:
    assert len(PROGRAM_NAMES) == len(set(PROGRAM_NAMES)) == 128


# The first of each family of eight.
@pytest.mark.parametrize(
    ("program", "name"),
    [
        (0, "Acoustic Grand Piano"),
        (8, "Celesta"),
        (16, "Drawbar Organ"),
        (24, "Nylon Guitar"),
        (32, "Acoustic Bass"),
        (40, "Violin"),
        (48, "String Ensemble 1"),
        (56, "Trumpet"),
        (64, "Soprano Sax"),
        (72, "Piccolo"),
        (80, "Square Lead"),
        (88, "New Age Pad"),
        (96, "Rain"),
        (104, "Sitar"),
        (112, "Tinkle Bell"),
        (120, "Guitar Fret Noise"),
        (127, "Gunshot"),
        (200, "Program 200"),
    ],
)
def test_a_program_is_called_as_general_midi_calls_it(program: int, name: str) -> None:
    assert instrument_name(program) == name


def test_on_the_drum_channel_every_program_is_drums() -> None:
    assert instrument_name(40, is_drum=True) == "Drums"
