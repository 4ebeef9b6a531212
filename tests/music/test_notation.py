import pytest

from ostinato.formats.scores.sheet import Beam, Pitch, Sheet
from ostinato.music.keys import parse_key
from ostinato.music.melody import Melody
from ostinato.music.meter import parse_meter
from ostinato.music.notation import estimated_key, notate, spelled


def melody(*lengths: int, meter: str = "4/4") -> Melody:
    """A melody of E4s of these lengths in steps; below 0 they are rests."""
    events: list[int] = []
    for length in lengths:
        events += [64 if length > 0 else -1, *[-2] * (abs(length) - 1)]
    return Melody(events, meter=parse_meter(meter))


def lengths(sheet: Sheet) -> list[str]:
    """Each bar as the lengths of its signs; z is a rest, - a tie."""
    return [
        " ".join(f"{'' if sign.pitch else 'z'}{sign.length}{'-' if sign.is_tied else ''}" for sign in bar)
        for bar in sheet.bars
    ]


@pytest.mark.parametrize(
    ("meter", "played", "written"),
    [
        # Over the bar line, and lengths that no note has.
        ("4/4", [12, 8, 12], ["12 4-", "4 4- 8"]),
        ("4/4", [5, 11], ["4- 1 3- 8"]),
        ("4/4", [1, 3, 12], ["1 3 4- 8"]),  # a Scotch snap
        ("6/8", [3, 3, 6], ["3 3 6"]),
        ("6/8", [1, 4, 7], ["1 3- 1 1- 6"]),
        ("4/4", [10, 6], ["8- 2 2- 4"]),
        ("4/4", [48], ["16-", "16-", "16"]),
        # The middle of the bar is seen, except in quarter, half, quarter.
        ("4/4", [6, 4, 6], ["6 2- 2 2- 4"]),
        ("4/4", [4, 8, 4], ["4 8 4"]),
        ("4/4", [2, 4, 2, 2, 4, 2], ["2 4 2 2 4 2"]),
        ("4/4", [1, 2, 1, 12], ["1 2 1 4- 8"]),
        ("4/4", [3, 2, 3, 8], ["3 1- 1 3 8"]),
        # Beats of three eighths are seen: a half note would hide the second.
        ("6/8", [8, 4], ["6- 2 4"]),
        ("6/8", [4, 4, 4], ["4 2- 2 4"]),
        ("6/8", [6, 6], ["6 6"]),
        ("6/8", [12], ["12"]),
        ("12/8", [24, 12, 12], ["24", "12 12"]),
        ("7/8", [8, 6, 4, 10], ["8 6", "4 4- 6"]),
        ("5/8", [10, 4, 6], ["4- 6", "4 6"]),
        ("3/4", [4, 8], ["4 8"]),
        ("3/4", [12], ["12"]),
        ("5/16", [5], ["2- 3"]),
        # Rests show every beat; a bar without a note is one rest.
        ("4/4", [4, -12, -16], ["4 z4 z8", "z16"]),
        ("4/4", [2, -6, 2, -6], ["2 z2 z4 2 z2 z4"]),
        ("4/4", [1, -7, 3, -1, 1, -3], ["1 z1 z2 z4 3 z1 1 z1 z2"]),
        ("6/8", [4, -2, -6], ["4 z2 z6"]),
        ("6/8", [1, -5, 3, -3], ["1 z1 z4 3 z1 z2"]),
        ("6/8", [2, -10], ["2 z4 z6"]),
        ("5/4", [20, -20], ["16- 4", "z20"]),
        # The last bar is filled.
        ("4/4", [4], ["4 z4 z8"]),
    ],
)
def test_lengths(meter: str, played: list[int], written: list[str]) -> None:
    assert lengths(notate(melody(*played, meter=meter))) == written


@pytest.mark.parametrize(
    ("meter", "played", "written", "has_upbeat"),
    [
        ("4/4", [-12, 4, 16, 12], ["4", "16", "12"], True),  # upbeat and last bar make one
        ("4/4", [-12, 4, 16, 8], ["4", "16", "8 z8"], True),
        ("4/4", [-12, 4, 16, 16], ["4", "16", "16"], True),
        ("4/4", [-14, 6, 12], ["2-", "4 4- 8"], True),
        ("3/4", [-8, 4, 12], ["4", "12"], True),
        ("4/4", [-8, 8, 16], ["8", "16"], True),
        ("4/4", [-6, 10, 16], ["z4 z2 2- 8", "16"], False),  # more than half a bar is no upbeat
        ("4/4", [-12, 4], ["z8 z4 4"], False),  # an upbeat to nothing
        ("4/4", [-16, 16], ["z16", "16"], False),
    ],
)
def test_upbeats(meter: str, played: list[int], written: list[str], has_upbeat: bool) -> None:
    sheet = notate(melody(*played, meter=meter))
    assert lengths(sheet) == written
    assert sheet.has_upbeat == has_upbeat


def test_a_melody_without_notes_is_a_bar_of_rest() -> None:
    assert lengths(notate(Melody([]))) == ["z16"]
    assert lengths(notate(Melody([-2] * 20))) == ["z16", "z16"]


_SHORT: dict[Beam, str] = {"begin": "(", "continue": "=", "end": ")", "forward hook": ">", "backward hook": "<"}


@pytest.mark.parametrize(
    ("meter", "played", "beams"),
    [
        ("6/8", [2, 2, 2, 2, 2, 2], "( = ) ( = )"),
        ("3/4", [2, 2, 2, 2, 2, 2], "( ) ( ) ( )"),
        ("4/4", [2, 2, 2, 2, 2, 2, 2, 2], "( = = ) ( = = )"),
        ("2/4", [2, 2, 2, 2], "( ) ( )"),
        ("4/4", [2, 2, 1, 1, 2, 8], "( ) (( =) ) ."),
        ("4/4", [1, 1, 1, 1, 3, 1, 8], "(( == == )) ( )< ."),
        ("4/4", [1, 3, 1, 2, 1, 8], "(> ) (> = )< ."),
        ("6/8", [3, 1, 2, 1, 1, 1, 1, 1, 1], "( =< ) (( == == == == ))"),
        ("6/8", [2, 1, 3, 6], "( => ) ."),
        ("4/4", [2, 4, 2, 4, 4], ". . . . ."),  # alone in their beats
        ("4/4", [1, -1, 1, 1, 4, 8], ". z (( )) . ."),  # a rest parts them
        ("7/8", [2, 2, 2, 2, 2, 2, 2], "( ) ( ) ( = )"),
        ("5/8", [2, 2, 2, 2, 2], "( ) ( = )"),
        ("9/16", [1] * 9, "(( == )) (( == )) (( == ))"),
        ("3/8", [2, 2, 2], "( = )"),
        ("2/2", [2] * 8, "( = = ) ( = = )"),
        ("3/2", [2] * 12, "( = = ) ( = = ) ( = = )"),
    ],
)
def test_beams(meter: str, played: list[int], beams: str) -> None:
    (bar,) = notate(melody(*played, meter=meter)).bars
    marks = ["".join(_SHORT[beam] for beam in sign.beams) or ("." if sign.pitch else "z") for sign in bar]
    assert " ".join(marks) == beams


def test_an_upbeat_is_beamed_where_it_stands_in_its_bar() -> None:
    sheet = notate(melody(-6, 2, 2, 2, 12, meter="6/8"))
    assert [sign.beams for sign in sheet.bars[0]] == [("begin",), ("continue",), ("end",)]


@pytest.mark.parametrize(
    ("pitch", "sharps", "name"),
    [
        (60, 0, ("C", 0, 4)),
        (61, 0, ("C", 1, 4)),
        (63, 0, ("E", -1, 4)),
        (66, 0, ("F", 1, 4)),
        (68, 0, ("G", 1, 4)),
        (70, 0, ("B", -1, 4)),
        (61, -5, ("D", -1, 4)),  # D flat major
        (60, 7, ("B", 1, 3)),  # C sharp major: B sharp, which is written an octave lower
        (59, -6, ("C", -1, 4)),  # G flat major: C flat
        (67, 6, ("G", 0, 4)),  # F sharp major: not F double sharp
        (0, 0, ("C", 0, -1)),
        (127, 0, ("G", 0, 9)),
    ],
)
def test_spelling(pitch: int, sharps: int, name: tuple[str, int, int]) -> None:
    assert spelled(pitch, sharps) == Pitch(*name)


@pytest.mark.parametrize(
    ("pitches", "key"),
    [
        ([60, 62, 64, 65, 67, 69, 71, 72], "C major"),
        ([62, 64, 66, 67, 69, 71, 73, 74], "D major"),
        ([69, 71, 72, 74, 76, 77, 79, 69], "A minor"),
        ([62, 64, 65, 67, 69, 71, 72, 62], "D dorian"),
        ([67, 69, 71, 72, 74, 76, 77, 67], "G mixolydian"),
        ([60, 62, 64, 65, 67, 69, 71], "C major"),  # ends on no tonic
        ([60, 62, 64, 67, 69, 67], "G major"),  # five notes that fit C, F and G: it ends on G
        ([60, 62, 64, 67, 69, 65, 65, 70, 65], "F major"),
        ([68, 70, 72, 73, 75, 77, 79, 68], "Ab major"),
        ([66, 68, 70, 71, 73, 75, 77, 66], "F# major"),
        ([68, 70, 71, 73, 75, 76, 78, 68], "G# minor"),
        ([], "C major"),
    ],
)
def test_the_key_that_notes_and_end_tell(pitches: list[int], key: str) -> None:
    assert estimated_key(Melody(pitches)).name == key


@pytest.mark.parametrize(
    ("key", "signature"),
    [
        ("C", (0, "C", "major")),
        ("F# minor", (3, "F#", "minor")),
        ("D dorian", (0, "D", "dorian")),
        ("Bb mixolydian", (-3, "Bb", "mixolydian")),
        ("E phrygian", (0, "E", "phrygian")),
        ("F lydian", (0, "F", "lydian")),
        ("B locrian", (0, "B", "locrian")),
        ("A harmonic minor", (0, "A", "minor")),
        ("A blues", (0, "A", "minor")),
        ("Bb major pentatonic", (-2, "Bb", "major")),
        ("Gb", (-6, "Gb", "major")),
        ("D# major", (-3, "Eb", "major")),  # nine sharps would be too many
        ("Fb minor", (1, "E", "minor")),
    ],
)
def test_signatures(key: str, signature: tuple[int, str, str]) -> None:
    sheet = notate(Melody([60]), key=parse_key(key))
    assert (sheet.sharps, sheet.tonic, sheet.mode) == signature


def test_a_low_melody_is_written_in_the_bass_clef() -> None:
    assert notate(Melody([50, 55])).is_low
    assert not notate(Melody([55, 56])).is_low
