import pytest

from ostinato.formats.scores.sheet import Pitch, Sign, is_bar_rest, key_alterations, tempo_text


@pytest.mark.parametrize(
    ("sharps", "altered"),
    [
        (0, {}),
        (2, {"F": 1, "C": 1}),
        (-3, {"B": -1, "E": -1, "A": -1}),
        (7, dict.fromkeys("CDEFGAB", 1)),
        (-7, dict.fromkeys("CDEFGAB", -1)),
    ],
)
def test_what_a_signature_alters(sharps: int, altered: dict[str, int]) -> None:
    assert key_alterations(sharps) == dict.fromkeys("CDEFGAB", 0) | altered


def test_a_bar_without_a_note_is_one_rest() -> None:
    assert is_bar_rest((Sign(16),))
    assert not is_bar_rest((Sign(8), Sign(8)))
    assert not is_bar_rest((Sign(16, Pitch("C", 0, 4)),))


@pytest.mark.parametrize(("qpm", "text"), [(120.0, "120"), (92.5, "92.5"), (100 / 3, "33.333"), (1e6, "1000000")])
def test_a_tempo_is_a_plain_number(qpm: float, text: str) -> None:
    assert tempo_text(qpm) == text
