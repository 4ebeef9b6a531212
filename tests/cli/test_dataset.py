"""The dataset command, as a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import golden_files
from ostinato.formats.tensorflow.compact import parse_compact
from ostinato.formats.tensorflow.sequence_example import parse_sequence_example
from ostinato.formats.tensorflow.tfrecord import read_records

NOTES = golden_files.SMALL / "notesequences.tfrecord"


def dataset(*flags: str | Path, command: str = "dataset") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ostinato", command, *map(str, flags)], capture_output=True, text=True, check=False
    )


def test_a_folder_gets_both_files_and_the_user_is_told_what_is_in_them(tmp_path: Path) -> None:
    made = dataset("--config=lookback_rnn", f"--input={NOTES}", f"--output_dir={tmp_path}", "--eval_ratio=0.3")
    assert (made.returncode, made.stderr) == (0, "")
    counts = {name: len(list(read_records(tmp_path / f"{name}_melodies.tfrecord"))) for name in ("training", "eval")}
    assert sum(counts.values()) == 27
    assert min(counts.values()) > 0
    lines = made.stdout.splitlines()
    assert lines[0].startswith("27 melodies in 30 NoteSequences, 3 of them without one; ")
    assert lines[1:3] == [
        f"{tmp_path}/training_melodies.tfrecord: {counts['training']} training records",
        f"{tmp_path}/eval_melodies.tfrecord: {counts['eval']} eval records",
    ]
    assert "Melodies by their length in bars:" in lines


def test_magentas_flags_and_more_input_files(tmp_path: Path) -> None:
    made = dataset(
        "--config=attention_rnn",
        f"--input={NOTES},{NOTES.parent}/note*.tfrecord",
        f"--train_output={tmp_path}/seq/train.tfrecord",
        f"--eval_output={tmp_path}/seq/eval.tfrecord",
        "--eval_ratio=0.10",
        "--num_processes=1",
    )
    assert (made.returncode, made.stderr) == (0, "")
    assert sorted(path.name for path in (tmp_path / "seq").iterdir()) == ["eval.tfrecord", "train.tfrecord"]
    assert made.stdout.startswith("27 melodies")  # each file once


def test_chords_go_from_files_into_records(tmp_path: Path) -> None:
    (tmp_path / "songs").mkdir()
    lines = ['"C"C2E2 "F"F2A2', '"Dm7"D2F2 "G7"G2B,2'] * 5
    for key in ("C", "D"):
        (tmp_path / "songs" / f"{key}.abc").write_text(f"X:1\nM:4/4\nL:1/8\nK:{key}\n{'|'.join(lines)}|\n")
    notes = tmp_path / "notes.tfrecord"
    assert dataset(f"--input_dir={tmp_path}/songs", f"--output_file={notes}", command="convert").returncode == 0
    given = (f"--input={notes}", f"--output_dir={tmp_path}", "--eval_ratio=0")
    made = dataset("--config=chord_rnn", *given)
    assert (made.returncode, made.stderr) == (0, "")
    assert "2 of 2 melodies have chords\n" in made.stdout
    for record in read_records(tmp_path / "training_melodies.tfrecord"):
        compact = parse_compact(record)
        assert compact is not None
        # Both go to C, and the chords with them; in the second song they stood for C in a tune in D.
        assert [step for step, _ in compact.chords] == list(range(0, 160, 8))
        names = [name for _, name in compact.chords]
        assert names[:4] in (["C", "F", "Dm7", "G7"], ["Bb", "Eb", "Cm7", "F7"])
    told = dataset("--config=ostinato", *given).stdout
    assert "2 of 2 melodies have chords (--config=chord_rnn learns to fit melodies to them)\n" in told


def test_records_are_compact_but_under_magentas_names(tmp_path: Path) -> None:
    flags = (f"--input={NOTES}", "--eval_ratio=0")
    assert dataset(*flags, "--config=lookback_rnn", f"--train_output={tmp_path / 'compact'}").returncode == 0
    assert dataset(*flags, "--config=lookback_rnn", f"--train_output={tmp_path / 'wide'}", "--wide").returncode == 0
    program = (
        "import sys; sys.argv[0] = 'lookback_rnn_create_dataset'; "
        "from ostinato.cli.main import main_by_magenta_name; sys.exit(main_by_magenta_name())"
    )
    made = subprocess.run(
        [sys.executable, "-c", program, *flags, f"--train_output={tmp_path / 'magentas'}"], check=False
    )
    assert made.returncode == 0
    assert (tmp_path / "magentas").read_bytes() == (tmp_path / "wide").read_bytes()
    assert (tmp_path / "compact").stat().st_size < (tmp_path / "wide").stat().st_size / 200
    compact, wide = (list(read_records(tmp_path / name)) for name in ("compact", "wide"))
    for one, other in zip(compact, wide, strict=True):
        melody, example = parse_compact(one), parse_sequence_example(other)
        assert melody is not None
        assert example.events is not None
        assert [event - 2 for event in melody.events] == example.events.tolist()


def test_dedupe_and_transpose_are_counted(tmp_path: Path) -> None:
    twice = tmp_path / "twice.tfrecord"
    twice.write_bytes(NOTES.read_bytes() * 2)
    made = dataset(
        "--config=mono_rnn",
        f"--input={twice}",
        f"--output_dir={tmp_path}",
        "--eval_ratio=0",
        "--dedupe",
        "--transpose=-5..6",
    )
    assert made.returncode == 0, made.stderr
    records = len(list(read_records(tmp_path / "training_melodies.tfrecord")))
    assert "  27 melodies that repeat an earlier one, in any key (--dedupe)" in made.stdout
    assert records == 27 * 12
    assert not (tmp_path / "eval_melodies.tfrecord").exists()


def test_lookback_distances_in_bars(tmp_path: Path) -> None:
    classic, in_bars = tmp_path / "classic.tfrecord", tmp_path / "bars.tfrecord"
    flags = (f"--input={NOTES}", "--config=lookback_rnn", "--eval_ratio=0", "--wide")
    assert dataset(*flags, f"--train_output={classic}").returncode == 0
    assert dataset(*flags, f"--train_output={in_bars}", "--lookback_distances=bars").returncode == 0
    pairs = [
        tuple(map(parse_sequence_example, pair)) for pair in zip(*map(read_records, (classic, in_bars)), strict=True)
    ]
    # They differ but where a bar is 16 steps long.
    assert {one.steps_per_bar == 16: np.array_equal(one.inputs, two.inputs) for one, two in pairs} == {
        True: True,
        False: False,
    }


def test_an_empty_eval_split_is_warned_of(tmp_path: Path) -> None:
    made = dataset("--config=basic_rnn", f"--input={NOTES}", f"--output_dir={tmp_path}", "--eval_ratio=0.0001")
    assert made.returncode == 0
    assert "no NoteSequence with a melody went to eval; raise --eval_ratio" in made.stderr
    assert (tmp_path / "eval_melodies.tfrecord").read_bytes() == b""


def test_no_melody_is_an_error_of_one_line(tmp_path: Path) -> None:
    made = dataset("--config=basic_rnn", f"--input={NOTES}", f"--output_dir={tmp_path}", "--min_bars=400")
    assert made.returncode == 1
    assert made.stderr.count("\n") == 1
    assert (
        "there is no usable melody in 30 NoteSequences: 3 tracks read only up to where several notes start at once"
        in made.stderr
    )
    assert "; 27 melodies shorter than 400 bars (--min_bars)\n" in made.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_stops_unless_its_whole_records_are_asked_for(tmp_path: Path) -> None:
    cut = tmp_path / "cut.tfrecord"
    cut.write_bytes(NOTES.read_bytes()[:-1000])
    flags = ("--config=basic_rnn", f"--input={cut}", f"--output_dir={tmp_path / 'out'}")
    stopped = dataset(*flags)
    assert stopped.returncode == 1
    assert "cut.tfrecord" in stopped.stderr
    assert "--skip_corrupt" in stopped.stderr
    used = dataset(*flags, "--skip_corrupt")
    assert used.returncode == 0
    assert "NoteSequences" in used.stdout


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "give --output_dir, or --train_output and --eval_output"),
        (["--output_dir=o", "--train_output=t"], "--output_dir names both files"),
        (["--output_dir=o", "--eval_output=e"], "--output_dir names both files"),
        (["--train_output=t"], "--eval_ratio=0.1 needs --eval_output"),
        (["--train_output=t", "--eval_output=e", "--eval_ratio=0"], "--eval_ratio=0 leaves nothing for --eval_output"),
        (["--train_output=t", "--eval_output=t"], "are both t"),
        (["--output_dir=o", "--eval_ratio=1"], "eval_ratio must be at least 0 and below 1, not 1.0"),
        (["--output_dir=o", "--transpose=6..-5"], "--transpose=6..-5 must be LOW..HIGH"),
        (["--output_dir=o", "--transpose=up"], "--transpose=up must be LOW..HIGH"),
        (["--output_dir=o", "--min_bars=-1"], "min_bars must be at least 0, not -1"),
        (["--output_dir=o", "--num_processes=0"], "--num_processes must be at least 1, not 0"),
        ([f"--train_output={NOTES}", "--eval_ratio=0"], "is an input and would be overwritten"),
        (["--output_dir=o", "--lookback_distances=bars"], "the encoding of basic_rnn has no lookbacks"),
        (
            ["--output_dir=o", "--config=ostinato", "--lookback_distances=16,32"],
            "--lookback_distances=16,32: the encoding of ostinato looks back in bars, not steps",
        ),
        (["--output_dir=o", "--config=drums"], "no config is called 'drums'; known are basic_rnn"),
    ],
)
def test_what_cannot_be_or_contradicts_is_a_usage_error(tmp_path: Path, flags: list[str], message: str) -> None:
    made = dataset("--config=basic_rnn", f"--input={NOTES}", *flags)
    assert made.returncode == 2
    assert made.stderr.count("\n") == 1
    assert message in made.stderr


def test_the_config_must_be_named(tmp_path: Path) -> None:
    made = dataset(f"--input={NOTES}", f"--output_dir={tmp_path}")
    assert made.returncode == 2
    assert "--config is missing; known are basic_rnn, mono_rnn, lookback_rnn, attention_rnn" in made.stderr


def test_the_report_as_json_and_the_flags_of_tracks_and_meters(tmp_path: Path) -> None:
    written = tmp_path / "report.json"
    flags = ("--config=basic_rnn", f"--input={NOTES}", "--eval_ratio=0", f"--json={written}")
    assert dataset(*flags, f"--output_dir={tmp_path / 'a'}").returncode == 0
    told = json.loads(written.read_bytes())
    assert (told["tunes"], told["read"], told["melodies"], told["without_melody"]) == (30, 30, 27, 3)
    assert told["training_records"] == 27
    (polyphonic,) = (one for one in told["left_out"] if one["flag"].startswith("--polyphony"))
    assert (polyphonic["count"], polyphonic["what"]) == (3, "tracks read only up to where several notes start at once")
    # The top line of those three is a melody too.
    assert dataset(*flags, f"--output_dir={tmp_path / 'b'}", "--polyphony=line").returncode == 0
    assert json.loads(written.read_bytes())["melodies"] == 30
    made = dataset(*flags, f"--output_dir={tmp_path / 'c'}", "--tracks=99")
    assert made.returncode == 1
    assert "30 tracks that were not chosen (--tracks)" in made.stderr
