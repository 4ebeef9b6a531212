import dataclasses
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import golden_files
from ostinato.config import preset
from ostinato.dataset.beam.records import Candidate, _settle_group, _settle_in_order
from ostinato.dataset.beam.records import build_dataset as build_with_beam
from ostinato.dataset.records import DatasetSettings, DatasetStatistics, SeenMelodies, build_dataset
from ostinato.errors import DataError, FormatError, SettingsError
from ostinato.formats.tensorflow.tfrecord import expand_paths, read_records, write_records
from shelf_file_system import Shelf

TWO_WORKERS = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
RECORDS = list(read_records(golden_files.SMALL / "notesequences.tfrecord"))
SETTINGS = DatasetSettings(preset("lookback_rnn").encoding, eval_ratio=0.3)


@pytest.fixture
def notes(tmp_path: Path) -> str:
    """Two files of NoteSequences: each comes twice, and the second file has one that is none."""
    write_records(tmp_path / "first.tfrecord", RECORDS[:20])
    write_records(tmp_path / "second.tfrecord", [*RECORDS, b"\xff", *RECORDS[:5]])
    return f"{tmp_path}/first.tfrecord,{tmp_path}/second.tfrecord"


def build_locally(notes: str, folder: Path, settings: DatasetSettings, shards: int | None) -> DatasetStatistics:
    records = (record for path in expand_paths(notes) for record in read_records(path))
    train, held_out = folder / "train.tfrecord", folder / "eval.tfrecord"
    return build_dataset(records, train, held_out, settings, num_shards=shards, processes=1)


def contents(path: Path) -> Iterator[list[bytes]]:
    for shard in expand_paths(str(path)):
        yield sorted(read_records(shard))


@pytest.mark.parametrize(
    ("changes", "flags", "shards"),
    [
        ({}, TWO_WORKERS, None),
        ({"dedupe": True, "transpositions": (-1, 0, 30)}, TWO_WORKERS, 3),
    ],
)
def test_the_records_are_those_that_one_machine_writes(
    notes: str, tmp_path: Path, changes: dict[str, object], flags: tuple[str, ...], shards: int | None
) -> None:
    settings = dataclasses.replace(SETTINGS, **changes)  # type: ignore[arg-type]
    local, carried = tmp_path / "local", tmp_path / "carried"
    expected = build_locally(notes, local, settings, shards)
    outputs = [f"{carried}/{name}.tfrecord" for name in ("train", "eval")]
    found = build_with_beam(notes, outputs[0], outputs[1], settings, "DirectRunner", flags, num_shards=shards)
    assert found == expected
    assert found.failure_reasons[0].startswith("NoteSequence 51: ")
    assert (found.duplicates > 20) is settings.dedupe
    for name in ("train.tfrecord", "eval.tfrecord"):
        assert list(contents(carried / name)) == list(contents(local / name))
        assert len(expand_paths(str(carried / name))) == (shards or 1)
    assert min(found.training_records, found.eval_records) > 5


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_melodies_of_two_fingerprints_are_settled_as_in_order(pairs: list[tuple[int, int]]) -> None:
    melodies: list[Candidate] = [
        ((0, 0, number), tuple(bytes([mark]) for mark in pair)) for number, pair in enumerate(pairs)
    ]
    seen = SeenMelodies()
    expected = [position for position, fingerprints in melodies if seen.admits(fingerprints)]

    groups: dict[bytes, list[Candidate]] = {}
    for melody in reversed(melodies):  # in any order
        for mark in set(melody[1]):
            groups.setdefault(mark, []).append(melody)
    settled = [each for group in groups.items() for each in _settle_group(group)]
    admitted = [each for each in settled if isinstance(each, tuple)]
    contested = [each.value for each in settled if not isinstance(each, tuple)]
    assert sorted([*admitted, *_settle_in_order(contested)]) == expected


def test_nothing_to_train_on_writes_nothing(notes: str, tmp_path: Path) -> None:
    (tmp_path / "train").write_bytes(b"an earlier one")
    settings = dataclasses.replace(SETTINGS, extraction=dataclasses.replace(SETTINGS.extraction, min_bars=500))
    with pytest.raises(DataError, match=r"no melody can be used of 56 NoteSequences: 1 NoteSequence that .*min_bars"):
        build_with_beam(notes, f"{tmp_path}/train", f"{tmp_path}/eval", settings, "DirectRunner")
    assert (tmp_path / "train").read_bytes() == b"an earlier one"
    assert not (tmp_path / "eval").exists()


def test_a_damaged_file_is_an_error_or_used_up_to_the_damage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "cut.tfrecord"
    write_records(path, RECORDS)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FormatError, match=r"cut\.tfrecord: .*after 29 whole records"):
        build_with_beam(str(path), f"{tmp_path}/train", f"{tmp_path}/eval", SETTINGS, "DirectRunner")
    assert [each.name for each in tmp_path.iterdir()] == ["cut.tfrecord"]
    with caplog.at_level(logging.WARNING, "ostinato"):
        found = build_with_beam(
            str(path), f"{tmp_path}/train", f"{tmp_path}/eval", SETTINGS, "DirectRunner", skip_corrupt=True
        )
    assert found.note_sequences == 29
    assert "after 29 whole records" in caplog.text


def test_an_input_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "n-00000-of-00002.tfrecord"
    write_records(path, RECORDS)
    with pytest.raises(SettingsError, match="is an input"):
        build_with_beam(str(path), f"{tmp_path}/n.tfrecord", "eval", SETTINGS, "DirectRunner", num_shards=2)


def test_another_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_records(tmp_path / "one", RECORDS[:20])
    write_records(tmp_path / "two", RECORDS[20:])
    stored = {
        "shelf://notes/n-00000-of-00002.tfrecord": (tmp_path / "one").read_bytes(),
        "shelf://notes/n-00001-of-00002.tfrecord": (tmp_path / "two").read_bytes(),
    }
    monkeypatch.setattr(Shelf, "files", stored)
    settings = dataclasses.replace(SETTINGS, eval_ratio=0.0)
    build_dataset(RECORDS, tmp_path / "local", None, settings, processes=1)
    for pattern in ("shelf://notes/n@2.tfrecord", f"{tmp_path}/one, shelf://notes/n-00001-*"):
        build_with_beam(pattern, "shelf://out/train", None, settings, "DirectRunner")
        (tmp_path / "carried").write_bytes(stored.pop("shelf://out/train"))
        assert sorted(read_records(tmp_path / "carried")) == sorted(read_records(tmp_path / "local"))
    with pytest.raises(DataError, match=r"n@3\.tfrecord: there is no file shelf://notes/n-00000-of-00003\.tfrecord"):
        build_with_beam("shelf://notes/n@3.tfrecord", "shelf://out/train", None, settings, "DirectRunner")
