import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import golden_files
import tiny_examples
from ostinato.config import preset
from ostinato.training.batches import IGNORED, Batch, Position, Prefetched, epoch_order, evaluation_batches
from ostinato.training.batches import training_batches as endless
from ostinato.training.examples import Examples

CONFIG = preset("lookback_rnn")


@pytest.fixture
def examples(tmp_path: Path) -> Examples:
    return tiny_examples.examples(tmp_path, CONFIG, 11)


@given(st.lists(st.integers(0, 600), min_size=1, max_size=60), st.integers(1, 20), st.integers(0, 5))
def test_an_epoch_gives_every_melody_once(lengths: list[int], batch_size: int, epoch: int) -> None:
    batches = epoch_order(np.array(lengths), batch_size, seed=7, epoch=epoch)
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    sizes = [len(batch) for batch in batches]
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    lengths = np.arange(100, 400)

    def order(seed: int, epoch: int) -> list[int]:
        return [int(number) for batch in epoch_order(lengths, 16, seed, epoch) for number in batch]

    assert order(1, 2) == order(1, 2)
    assert order(1, 2) != order(1, 3)
    assert order(1, 2) != order(2, 2)


def test_padding_is_under_a_tenth_on_real_melodies() -> None:
    melodies = golden_files.json_lines(golden_files.sets()[-1] / "melodies_lookback_rnn.jsonl.gz")
    lengths = np.array([len(melody["labels"]) for melody in melodies])
    # As many as a real collection has: each length as often as here.
    lengths = np.repeat(lengths, -(-2000 // len(lengths)))
    batches = epoch_order(lengths, 128, seed=0, epoch=0)
    padded = sum(len(batch) * lengths[batch].max() for batch in batches)
    assert 1 - lengths.sum() / padded < 0.1


def test_a_batch_holds_its_melodies_and_counts_only_their_steps(examples: Examples) -> None:
    batch = next(endless(examples, batch_size=4, seed=0, start=Position()))
    longest = max(examples.lengths[record] for record in batch.records)
    assert batch.inputs.shape == (len(batch.records), longest, 121)
    for row, record in enumerate(batch.records):
        length = examples.lengths[record]
        assert batch.labels[row, :length].tolist() == examples.labels[record].tolist()
        assert (batch.labels[row, length:] == IGNORED).all()
        assert (batch.inputs[row, length:] == 0).all()
        assert (batch.inputs[row, :length] != 0).any(dim=1).all()
    assert batch.num_steps == sum(examples.lengths[record] for record in batch.records)


def test_the_first_steps_are_not_counted_if_asked(examples: Examples) -> None:
    skip = 20  # more than the shortest melody has
    batch = next(endless(examples, batch_size=11, seed=0, start=Position(), skip_first_n_losses=skip))
    assert (batch.labels[:, :skip] == IGNORED).all()
    assert (
        batch.num_steps == (batch.labels != IGNORED).sum() == sum(max(length - skip, 0) for length in examples.lengths)
    )


def test_a_run_goes_on_at_any_position(examples: Examples) -> None:
    def records(start: Position, count: int) -> list[tuple[int, ...]]:
        return [
            batch.records for batch in itertools.islice(endless(examples, batch_size=4, seed=5, start=start), count)
        ]

    whole = list(itertools.islice(endless(examples, batch_size=4, seed=5, start=Position()), 9))
    assert [batch.next_position for batch in whole[:4]] == [Position(0, 1), Position(0, 2), Position(1), Position(1, 1)]
    for made, batch in enumerate(whole[:-1], start=1):
        assert records(batch.next_position, 9 - made) == [later.records for later in whole[made:]]


def test_a_position_beyond_the_epoch_is_the_next_epoch(examples: Examples) -> None:
    beyond = next(endless(examples, batch_size=4, seed=5, start=Position(0, 3)))
    assert beyond.records == next(endless(examples, batch_size=4, seed=5, start=Position(1))).records


@pytest.mark.parametrize("num_processes", [2, 3, 5])
def test_the_shares_of_a_batch_make_it_up(examples: Examples, num_processes: int) -> None:
    whole = next(endless(examples, batch_size=4, seed=1, start=Position()))
    shares = [
        next(endless(examples, batch_size=4, seed=1, start=Position(), rank=rank, num_processes=num_processes))
        for rank in range(num_processes)
    ]
    assert all((share.records, share.num_steps) == (whole.records, whole.num_steps) for share in shares)
    assert sum(int((share.labels != IGNORED).sum()) for share in shares) == whole.num_steps
    labels = sorted(tuple(row[row != IGNORED].tolist()) for share in shares for row in share.labels)
    assert [row for row in labels if row] == sorted(tuple(row[row != IGNORED].tolist()) for row in whole.labels)


def test_evaluation_leaves_nothing_out(examples: Examples) -> None:
    batches = list(evaluation_batches(examples, batch_size=4))
    assert [len(batch.records) for batch in batches] == [4, 4, 3]
    assert sorted(record for batch in batches for record in batch.records) == list(range(11))
    assert sum(batch.num_steps for batch in batches) == examples.lengths.sum()


def test_prefetching_changes_nothing(examples: Examples) -> None:
    with Prefetched(evaluation_batches(examples, batch_size=2)) as ahead:
        records = [batch.records for batch in ahead]
        assert ahead.seconds_waited > 0
        assert list(ahead) == []
    assert records == [batch.records for batch in evaluation_batches(examples, batch_size=2)]


def test_prefetching_raises_where_the_item_was_due(examples: Examples) -> None:
    def broken() -> Iterator[Batch]:
        yield from evaluation_batches(examples, batch_size=11)
        raise MemoryError("no more")

    with Prefetched(broken()) as ahead:
        assert len(next(ahead).records) == 11
        for _ in range(2):
            with pytest.raises(MemoryError, match="no more"):
                next(ahead)


def test_prefetching_ends_with_its_block(examples: Examples) -> None:
    with Prefetched(endless(examples, batch_size=2, seed=0, start=Position())) as ahead:
        next(ahead)
    assert not ahead._thread.is_alive()
