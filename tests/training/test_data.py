import itertools
import json
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from torch import Tensor

import golden_files
import tiny_examples
from ostinato.config import PRESETS, Config, Hparams, preset
from ostinato.dataset.records import compact_of, example_of
from ostinato.encodings import BarEncoding, OneHotEncoding
from ostinato.errors import DataError, FormatError
from ostinato.formats.tensorflow.compact import CompactRecord, serialize_compact
from ostinato.formats.tensorflow.sequence_example import Example, serialize_sequence_example
from ostinato.formats.tensorflow.tfrecord import write_records
from ostinato.music.melody import Melody
from ostinato.music.meter import Meter
from ostinato.training.data import (
    IGNORED,
    Batch,
    Examples,
    PackedInputs,
    Pairs,
    Position,
    Prefetched,
    epoch_order,
    evaluation_batches,
    examples_of_melodies,
    load_examples,
    pack,
    require_records,
)
from ostinato.training.data import training_batches as endless

BASIC, LOOKBACK = preset("basic_rnn"), preset("lookback_rnn")


def record(inputs: NDArray[np.float32], labels: list[int]) -> bytes:
    return serialize_sequence_example(Example(inputs, np.array(labels, np.int64)))


def test_a_packed_step_is_two_bit_masks() -> None:
    packed = pack(np.array([[1, 0, -1, 0, 0, 0, 0, 1, -1]], np.float32))
    assert isinstance(packed, PackedInputs)
    ones, minus_ones = [0b10000001, 0b00000000], [0b00100000, 0b10000000]
    assert (list(zlib.decompress(packed.signs)), packed.num_steps) == ([*ones, *minus_ones], 1)


@given(hnp.arrays(np.float32, st.tuples(st.integers(0, 9), st.integers(1, 20)), elements=st.sampled_from([-1, 0, 1])))
def test_packing_loses_nothing(inputs: NDArray[np.float32]) -> None:
    packed = pack(inputs)
    assert isinstance(packed, PackedInputs)
    values = packed.values(inputs.shape[1])
    assert values.dtype == np.int8
    np.testing.assert_array_equal(values, inputs)


def inputs_of_the_only_batch(*melodies: list[list[float]]) -> Tensor:
    """Of melodies of wide records for a tiny encoding, the longest last."""
    kept = tuple(Pairs(pack(np.array(one, np.float32)), np.zeros(len(one), np.int64), None) for one in melodies)
    lengths = np.array([len(one) for one in melodies])
    config = Config("tiny", OneHotEncoding(60, 72, None))
    (batch,) = evaluation_batches(Examples(("tiny",), config, kept, lengths), batch_size=9)
    return batch.inputs


def test_melodies_are_side_by_side_and_end_in_zeros() -> None:
    rest = [0.0] * 12
    batch = inputs_of_the_only_batch([[1, -1, *rest]], [[0, 1, *rest], [-1, 0, *rest]])
    assert batch.dtype == torch.int8
    assert batch[:, :, :2].tolist() == [[[1, -1], [0, 0]], [[0, 1], [-1, 0]]]


def test_other_values_stay_floats() -> None:
    rest = [0.0] * 12
    batch = inputs_of_the_only_batch([[0.5, 1, *rest]], [[-1, 0, *rest], [1, 1, *rest]])
    assert batch.dtype == torch.float32
    assert batch[:, :, :2].tolist() == [[[0.5, 1], [0, 0]], [[-1, 0], [1, 1]]]


@pytest.mark.parametrize("config", PRESETS.values(), ids=lambda config: config.name)
def test_what_is_loaded_is_what_the_encoding_gave(config: object, tmp_path: Path) -> None:
    config = preset(getattr(config, "name", ""))
    tunes = tiny_examples.melodies(5)
    path = tiny_examples.write(tmp_path / "tiny.tfrecord", config, tunes)
    examples = load_examples(str(path), config)
    assert examples.files == (str(path),)
    assert examples.lengths.tolist() == [len(melody) - 1 for melody in tunes]
    for number, melody in enumerate(tunes):
        inputs, labels = config.encoding.encode(melody)
        kept = examples.melodies[number]
        assert isinstance(kept, Pairs)
        assert isinstance(kept.inputs, PackedInputs)
        np.testing.assert_array_equal(kept.inputs.values(config.encoding.input_size), inputs)
        np.testing.assert_array_equal(kept.labels, labels)


def test_the_end_of_a_tune_is_the_last_of_its_labels_and_alone_right() -> None:
    config = Config("ours", BarEncoding(foretells_end=True), Hparams(loss="events"))
    ending, cut = Melody([60, -2, 64], ends=True, meter=Meter(6, 8)), Melody([60, -2, 64])
    examples = examples_of_melodies([ending, cut], config, "two tunes")
    assert examples.lengths.tolist() == [3, 2]
    end = config.encoding.num_classes - 1
    first, second = (examples.pairs(number) for number in range(2))
    assert first.labels[-1] == end
    assert first.right is not None
    assert second.right is not None
    right = [np.unpackbits(mask, axis=1, count=end + 1) for mask in (first.right, second.right)]
    assert right[0][-1].nonzero()[0].tolist() == [end]
    # As to the events, both are the same; the first row's pair has the no event and, before the tune's beginning, all
    # its repeats.
    np.testing.assert_array_equal(right[0][:2], right[1])
    assert not right[1][:, end].any()


def test_how_many_begin_with_an_upbeat_is_told(tmp_path: Path) -> None:
    config = preset("lookback_rnn")
    melodies = [Melody([-2] * rest + [60, -2, 62, -2]) for rest in (0, 12, 12, 4)]
    assert examples_of_melodies(melodies, config, "some").told()["upbeats"] == 0.5
    # Records of Magenta's have no events.
    inputs, labels = config.encoding.encode(melodies[0])
    write_records(tmp_path / "old", [serialize_sequence_example(Example(inputs, labels))])
    assert "upbeats" not in load_examples(str(tmp_path / "old"), config).told()


@pytest.mark.parametrize("loss", ["classes", "events"])
@pytest.mark.parametrize("name", PRESETS)
def test_compact_and_wide_records_give_the_same_batches(name: str, loss: str, tmp_path: Path) -> None:
    config = preset(name).with_hparams({"loss": loss})
    tunes = tiny_examples.melodies(11)
    tunes[3:5] = [Melody(tune.events, meter=Meter(6, 8), ends=True) for tune in tunes[3:5]]
    tunes[5:7] = [Melody(tune.events, chords=[(0, "C"), (9, "G7")]) for tune in tunes[5:7]]
    wide = [serialize_sequence_example(example_of(melody, config.encoding)) for melody in tunes]
    write_records(tmp_path / "wide", wide)
    write_records(tmp_path / "half", wide[6:])
    tiny_examples.write_compact(tmp_path / "compact", config, tunes)
    tiny_examples.write_compact(tmp_path / "other half", config, tunes[:6])
    from_wide = load_examples(str(tmp_path / "wide"), config)
    for pattern in (f"{tmp_path}/compact", f"{tmp_path}/other half,{tmp_path}/half"):
        examples = load_examples(pattern, config)
        assert {**examples.told(), "files": []} == {**from_wide.told(), "files": []}
        for made, expected in zip(_three_epochs(examples, rank=1), _three_epochs(from_wide, rank=1), strict=True):
            assert (made.records, made.num_steps) == (expected.records, expected.num_steps)
            assert made.inputs.dtype == expected.inputs.dtype == torch.int8
            assert torch.equal(made.inputs, expected.inputs)
            assert torch.equal(made.labels, expected.labels)
            assert (made.right is None) is (expected.right is None) is (loss == "classes")
            assert made.right is None or expected.right is None or torch.equal(made.right, expected.right)


def _three_epochs(examples: Examples, rank: int) -> Iterator[Batch]:
    batches = endless(
        examples, batch_size=4, seed=5, start=Position(), skip_first_n_losses=2, rank=rank, num_processes=2
    )
    return itertools.islice(batches, 9)


def test_a_compact_record_takes_a_byte_a_step(tmp_path: Path) -> None:
    config = preset("ostinato")
    (tune,) = tiny_examples.melodies(1, longest=300)
    path = tiny_examples.write_compact(tmp_path / "compact", config, [tune])
    # What is not events: 16 bytes of TFRecord, 272 of the encoding, and the names of the features.
    assert path.stat().st_size < len(tune) + 400
    (kept,) = load_examples(str(path), config).melodies
    assert isinstance(kept, CompactRecord)
    assert len(kept.events) == len(tune)


@pytest.mark.parametrize(
    ("made_for", "message"),
    [
        (preset("lookback_rnn"), "it was made for lookback_rnn, not for attention_rnn"),
        (
            preset("attention_rnn").with_lookback_distances("bars"),
            r"it was made with lookback_distances 'bars', but attention_rnn has \(16, 32\)",
        ),
        (Config("odd", OneHotEncoding(0, 24)), "it was made for another encoding than attention_rnn's"),
    ],
)
def test_compact_records_for_another_config_are_refused(made_for: Config, message: str, tmp_path: Path) -> None:
    path = tiny_examples.write_compact(tmp_path / "made", made_for, tiny_examples.melodies(2))
    with pytest.raises(FormatError, match=rf"made, record 1: {message}; give `ostinato dataset` and `ostinato train`"):
        load_examples(str(path), preset("attention_rnn"))


def test_compact_records_name_the_encoding_by_its_settings_not_by_their_order(tmp_path: Path) -> None:
    record = compact_of(Melody([60, -2, 62]), BASIC.encoding)
    settings = json.loads(record.encoding)
    # As an earlier version would write it, before a setting was added: what is missing has its default.
    text = json.dumps(dict(reversed([pair for pair in settings.items() if pair[0] != "max_pitch"])))
    write_records(tmp_path / "made", [serialize_compact(replace(record, encoding=text))])
    assert load_examples(str(tmp_path / "made"), BASIC).lengths.tolist() == [2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"events": bytes([62, 0, 49])}, "pitch 47 is outside the encoding's 48..83"),
        ({"meter": (0, 4)}, "there is no meter 0/4"),
        ({"ends": True}, "it ends, which basic_rnn does not predict"),
        ({"chords": ((0, "Q"),)}, "there is no chord 'Q'"),
        ({"chords": ((3, "C"), (0, "G"))}, "chords: 'G' is at step 0, but must be at 4 or later"),
        ({"encoding": "[" * 100_000}, "build the data set again"),
        ({"encoding": '{"kind": "drums"}'}, "these are no settings of an encoding: 'drums'"),
    ],
)
def test_compact_records_that_cannot_be_are_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    record = compact_of(Melody([60, -2, 62]), BASIC.encoding)
    write_records(tmp_path / "bad", [serialize_compact(each) for each in (record, replace(record, **changes))])
    with pytest.raises(FormatError, match=rf"bad, record 2: .*{message}"):
        load_examples(str(tmp_path / "bad"), BASIC)


@pytest.mark.parametrize("is_wide", [False, True])
def test_a_hundred_thousand_melodies_fit_in_two_gigabytes(is_wide: bool, tmp_path: Path) -> None:
    # The widest inputs of all presets; real melodies are five times as long, and pack better for it.
    config = preset("ostinato")
    write = tiny_examples.write if is_wide else tiny_examples.write_compact
    path = write(tmp_path / "tunes", config, tiny_examples.melodies(30, longest=120))
    examples = load_examples(str(path), config)
    kept = [examples.pairs(number) for number in range(len(examples))]
    assert examples.pairs(7) is kept[7]
    stored = 0
    for pairs in kept:
        assert isinstance(pairs.inputs, PackedInputs)
        assert pairs.right is not None
        stored += len(pairs.inputs.signs) + pairs.labels.nbytes + pairs.right.nbytes
    # 312 steps is the mean length of real melodies.
    assert 100_000 * 312 * stored / examples.lengths.sum() < 2e9


def test_several_files_stand_one_after_the_other(tmp_path: Path) -> None:
    tunes = tiny_examples.melodies(3)
    tiny_examples.write(tmp_path / "a-1.tfrecord", BASIC, tunes[:1])
    tiny_examples.write(tmp_path / "a-2.tfrecord", BASIC, tunes[1:])
    for pattern in (f"{tmp_path}/a-*.tfrecord", f"{tmp_path}/a-1.tfrecord,{tmp_path}/a-2.tfrecord"):
        assert load_examples(pattern, BASIC).lengths.tolist() == [len(melody) - 1 for melody in tunes]


def test_another_models_examples_are_refused(tmp_path: Path) -> None:
    path = tiny_examples.write(tmp_path / "lookback.tfrecord", LOOKBACK, tiny_examples.melodies(1))
    with pytest.raises(
        FormatError, match=r"lookback.tfrecord, record 1: its examples have 121 .* attention_rnn needs 74.*lookback_rnn"
    ):
        load_examples(str(path), preset("attention_rnn"))


def test_labels_that_are_no_classes_are_refused(tmp_path: Path) -> None:
    rows = np.zeros((2, 38), np.float32)
    for labels in ([0, 38], [-1, 0]):
        write_records(tmp_path / "bad.tfrecord", [record(rows, [0, 1]), record(rows, labels)])
        with pytest.raises(FormatError, match="record 2: its labels"):
            load_examples(str(tmp_path / "bad.tfrecord"), BASIC)


@pytest.mark.parametrize("records", [[], [record(np.zeros((0, 38), np.float32), [])]])
def test_no_steps_at_all_is_an_error(records: list[bytes], tmp_path: Path) -> None:
    write_records(tmp_path / "empty.tfrecord", records)
    with pytest.raises(DataError, match=r"empty.tfrecord: there are no examples"):
        load_examples(str(tmp_path / "empty.tfrecord"), BASIC)


def test_an_example_without_steps_keeps_its_number(tmp_path: Path) -> None:
    write_records(
        tmp_path / "gap.tfrecord",
        [record(np.zeros((0, 38), np.float32), []), record(np.eye(38, dtype=np.float32)[:2], [3, 4])],
    )
    examples = load_examples(str(tmp_path / "gap.tfrecord"), BASIC)
    assert examples.lengths.tolist() == [0, 2]
    (batch,) = evaluation_batches(examples, batch_size=2)
    assert batch.inputs.shape == (2, 2, 38)


def test_a_damaged_file_is_used_up_to_the_damage_only_if_asked(tmp_path: Path) -> None:
    path = tiny_examples.write(tmp_path / "cut.tfrecord", BASIC, tiny_examples.melodies(3))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FormatError, match="skip_corrupt"):
        load_examples(str(path), BASIC)
    assert len(load_examples(str(path), BASIC, skip_corrupt=True)) == 2


def test_a_record_that_is_no_example_is_named(tmp_path: Path) -> None:
    write_records(tmp_path / "odd.tfrecord", [b"\xff\xff"])
    with pytest.raises(FormatError, match=r"odd.tfrecord, record 1"):
        load_examples(str(tmp_path / "odd.tfrecord"), BASIC)


def test_whether_there_are_records_is_told_from_the_first(tmp_path: Path) -> None:
    write_records(tmp_path / "empty.tfrecord", [])
    write_records(tmp_path / "one.tfrecord", [b"anything"])
    require_records(f"{tmp_path}/empty.tfrecord,{tmp_path}/one.tfrecord")
    with pytest.raises(DataError, match="there are no examples"):
        require_records(str(tmp_path / "empty.tfrecord"))
    with pytest.raises(DataError, match="no such file"):
        require_records(str(tmp_path / "none.tfrecord"))


@pytest.fixture
def examples(tmp_path: Path) -> Examples:
    return tiny_examples.examples(tmp_path, LOOKBACK, 11)


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


def test_the_first_examples_are_those_that_have_a_step(tmp_path: Path) -> None:
    encoding = preset("basic_rnn").encoding
    inputs, labels = encoding.encode(Melody([60, -2, 62]))
    one, none = record(inputs, labels.tolist()), record(np.zeros((0, 38), np.float32), [])
    write_records(tmp_path / "some.tfrecord", [one, none, one, one])
    some = load_examples(str(tmp_path / "some.tfrecord"), preset("basic_rnn"))
    assert some.first(0) is some
    assert some.first(1).lengths.tolist() == [2]
    assert some.first(2).lengths.tolist() == [2, 0, 2]
    assert some.first(9).lengths.tolist() == [2, 0, 2, 2]


def test_a_batch_holds_its_melodies_and_counts_only_their_steps(examples: Examples) -> None:
    batch = next(endless(examples, batch_size=4, seed=0, start=Position()))
    longest = max(examples.lengths[record] for record in batch.records)
    assert batch.inputs.shape == (len(batch.records), longest, 121)
    for row, record in enumerate(batch.records):
        length = examples.lengths[record]
        assert batch.labels[row, :length].tolist() == examples.pairs(record).labels.tolist()
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


def test_chords_are_hidden_from_some_melodies_anew_in_each_epoch() -> None:
    tunes = [Melody([60, *[-2] * 7, 62, 64], chords=[(0, "C"), (4, "G")])] * 200
    config = preset("chord_rnn").with_hparams({"chord_keep_prob": 0.75})
    examples = examples_of_melodies(tunes, config, "tunes")

    def shown(rank: int = 0, num_processes: int = 1, **hparams: float) -> list[dict[int, bool]]:
        """Of each epoch, which melodies show their chords."""
        some = replace(examples, config=config.with_hparams(hparams))
        epochs: list[dict[int, bool]] = [{}, {}]
        batches = endless(some, batch_size=50, seed=3, start=Position(), rank=rank, num_processes=num_processes)
        for number, batch in enumerate(itertools.islice(batches, 8)):
            its = batch.records[rank::num_processes]
            values = batch.inputs[:, :, -54:].any(dim=1).any(dim=1).tolist()
            assert batch.inputs[:, :, :-54].any(dim=2).all()
            epochs[number // 4].update(zip(its, values, strict=True))
        return epochs

    first, second = shown()
    # Of 200 draws at 3/4 between 127 and 173 are kept, but for one seed in five thousand.
    assert all(127 <= sum(epoch.values()) <= 173 for epoch in (first, second))
    assert first != second
    assert shown() == [first, second]
    halves = [shown(rank, 2) for rank in (0, 1)]
    assert [halves[0][epoch] | halves[1][epoch] for epoch in (0, 1)] == [first, second]
    assert all(all(epoch.values()) for epoch in shown(chord_keep_prob=1.0))
    assert not any(any(epoch.values()) for epoch in shown(chord_keep_prob=0.0))
    # What is measured on has them all.
    (batch,) = evaluation_batches(examples, batch_size=200)
    assert batch.inputs[:, :, -54:].any(dim=1).any(dim=1).all()


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
