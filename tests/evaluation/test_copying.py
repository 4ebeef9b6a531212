from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ostinato.evaluation.copying import copied_ngrams, copied_runs, interval_duration_pairs, longest_run
from ostinato.evaluation.repetition import Share
from ostinato.music.melody import Melody
from ostinato.music.render import note_spans

SCALE = Melody([60, -2, 62, -2, 64, -2, 65, -2])

EVENTS = st.lists(st.sampled_from([-2, -1, 60, 60, 62, 64]), max_size=30)
MELODIES = st.lists(EVENTS.map(Melody), max_size=6)


def plain_pairs(melody: Melody) -> list[tuple[int, int]]:
    """Interval and duration of each note from the second on."""
    spans = note_spans(melody)
    starts = [start for _, start, _ in spans[1:]] + [end for _, _, end in spans[-1:]]
    return [(spans[note][0] - spans[note - 1][0], starts[note] - spans[note][1]) for note in range(1, len(spans))]


def plain_runs(melody: Melody, training: Sequence[Melody]) -> list[int]:
    """What `copied_runs` finds, by trying everything."""
    known = set()
    for each in training:
        pairs = plain_pairs(each)
        known |= {tuple(pairs[i:j]) for i in range(len(pairs)) for j in range(i + 1, len(pairs) + 1)}
    pairs = plain_pairs(melody)
    return [
        max(
            [length for length in range(1, len(pairs) - start + 1) if tuple(pairs[start : start + length]) in known]
            or [0]
        )
        for start in range(len(pairs))
    ]


def test_pairs() -> None:
    pairs = interval_duration_pairs(Melody([60, -2, 62, -1, -2, 62, 55, -2, -2, -1, -2]))
    # Up 2 for 3 steps, though it sounds for 1; the same again for 1; down 7, sounding for 3.
    assert len(pairs) == 3
    same = interval_duration_pairs(Melody([40, 42, -2, -2, 42, 35, -2, -2]))
    assert pairs.tolist() == same.tolist()
    assert interval_duration_pairs(Melody([60, -2])).tolist() == []
    assert interval_duration_pairs(Melody([])).tolist() == []


def test_different_pairs_are_different_numbers() -> None:
    numbers = {
        int(interval_duration_pairs(Melody([low, high, *[-2] * duration]))[0])
        for low in (0, 1, 127)
        for high in (0, 126, 127)
        for duration in (0, 1, 400)
    }
    # Intervals of 0 three times over (0 to 0 and 127 to 127 are two of them), 126 twice.
    intervals = {high - low for low in (0, 1, 127) for high in (0, 126, 127)}
    assert len(numbers) == 3 * len(intervals)
    assert min(numbers) >= 0


def test_a_copy_at_another_pitch() -> None:
    copy = Melody([72, -2, -2, -2, 74, -2, 76, -2, 77, -2, 79])  # its first note is longer, and it goes on
    (runs,) = copied_runs([copy], [Melody([60, 61]), SCALE])
    assert runs.tolist() == [3, 2, 1, 0]
    assert longest_run(runs) == 3
    # 2-grams: (2, 2)(2, 2) and (2, 2)(1, 2) are known, (1, 2)(2, 1) is not.
    assert copied_ngrams(runs, 2) == Share(2, 3)
    assert copied_ngrams(runs, 4) == Share(0, 1)
    assert copied_ngrams(runs, 5) == Share(0, 0)


def test_a_run_stays_within_one_training_melody() -> None:
    first, second = Melody([60, 62, 64]), Melody([60, 61, 60])
    (runs,) = copied_runs([Melody([60, 62, 64, 65, 64])], [first, second])
    assert runs.tolist() == [2, 1, 2, 1]


def test_another_rhythm_is_no_copy() -> None:
    (runs,) = copied_runs([Melody([60, 62, 64, 65])], [SCALE])
    assert runs.tolist() == [0, 0, 0]


def test_nothing_to_copy_from() -> None:
    assert copied_runs([], []) == []
    assert [runs.tolist() for runs in copied_runs([SCALE, Melody([])], [])] == [[0, 0, 0], []]
    assert copied_runs([], [SCALE]) == []
    assert longest_run(np.array([], np.int64)) == 0


def test_long_repetitions() -> None:
    training, melody = Melody([60] * 300), Melody([64] * 200)
    (runs,) = copied_runs([melody], [training])
    assert runs.tolist() == list(range(199, 0, -1))


@given(MELODIES, MELODIES)
def test_against_trying_everything(melodies: list[Melody], training: list[Melody]) -> None:
    found = copied_runs(melodies, training)
    assert [runs.tolist() for runs in found] == [plain_runs(melody, training) for melody in melodies]
    known = [plain_pairs(melody) for melody in training]
    for runs, melody in zip(found, melodies, strict=True):
        for n in (1, 2, 4):
            ngrams = {tuple(pairs[start : start + n]) for pairs in known for start in range(len(pairs) - n + 1)}
            pairs = plain_pairs(melody)
            asked = [tuple(pairs[start : start + n]) for start in range(len(pairs) - n + 1)]
            assert copied_ngrams(runs, n) == Share(sum(each in ngrams for each in asked), len(asked))
