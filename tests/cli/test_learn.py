import json
import math
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import tiny_examples
from ostinato.bundle import Bundle, load_bundle, save_bundle
from ostinato.cli.main import main
from ostinato.config import preset
from ostinato.formats.midi.writer import note_sequence_to_midi

pytest.importorskip("torch")

CONFIG = preset("basic_rnn").with_hparams({"rnn_layer_sizes": [6]})


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # of the commands that the tests start
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tunes(tmp_path: Path) -> Path:
    """A folder of ten short tunes, one of them in a folder within it, and a file that is none."""
    folder = tmp_path / "tunes"
    (folder / "more").mkdir(parents=True)
    for number, melody in enumerate(tiny_examples.melodies(10)):
        path = folder / ("more" if number == 9 else "") / f"{number}.mid"
        path.write_bytes(note_sequence_to_midi(melody.to_note_sequence()))
    (folder / "broken.mid").write_bytes(b"MThd")
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model that has learned nothing yet."""
    import torch

    from ostinato.training.network import MelodyNetwork

    arrays = MelodyNetwork(CONFIG, generator=torch.Generator().manual_seed(0)).arrays()
    save_bundle(Bundle(CONFIG, arrays), tmp_path / "old.mag")
    return tmp_path / "old.mag"


def command(tunes: Path, model: Path | str, *more: str) -> list[str]:
    output = f"--output={tunes.parent / 'out' / 'my.mag'}"
    return [
        "learn",
        str(tunes),
        output,
        f"--from={model}",
        "--min_bars=1",
        "--min_unique_pitches=3",
        "--device=cpu",
        *more,
    ]


def test_all_the_way(
    tunes: Path,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    work = tmp_path / "work"
    progress = tmp_path / "progress.jsonl"
    arguments = command(tunes, model, "--num_training_steps=12", f"--work_dir={work}", f"--progress={progress}")
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert "read 10 of 11 music files" in told
    assert "skipped broken.mid: " in caplog.text
    assert "Found 10 melodies in 10 of 10 pieces" in told
    assert "8 melodies to learn from; 2, of other pieces, held out" in told
    out = tmp_path / "out"
    bundle = load_bundle(out / "my.mag")
    card = bundle.provenance["card"]
    assert card["began_from"] == str(model)
    assert card["data"].startswith("10 files of tunes: 8 melodies of ")
    assert card["settings"]["rnn_layer_sizes"] == [6]
    assert (card["steps"], card["best_step"]) == (12, bundle.provenance["step"])
    before, after = card["held_out"]["before"], card["held_out"]["validation"]
    assert before["bits_per_step"] > after["bits_per_step"] > 0
    # The loss that chose it is of events: the same in nats.
    assert bundle.provenance["held_out"]["loss"] == pytest.approx(after["bits_per_step"] * math.log(2), abs=2e-4)
    # For programs: the evaluations, the best of which was kept, and the summaries.
    lines = [json.loads(line) for line in progress.read_text().splitlines()]
    evaluations = {line["step"]: line["held_out"] for line in lines if "held_out" in line}
    assert list(evaluations) == [0, 5, 10, 12]
    assert evaluations[card["best_step"]] == min(evaluations.values()) == bundle.provenance["held_out"]["loss"]
    assert [line["step"] for line in lines if "loss" in line] == [10, 12]
    assert all(line.keys() == {"step", "seconds", "held_out" if "held_out" in line else "loss"} for line in lines)
    assert f"{after['bits_per_step']:.3f} bits a 16th step, {before['bits_per_step']:.3f} before" in told
    assert "Learned from tunes" in bundle.provenance["description"]
    assert bundle.provenance["init_from"]["file"] == "old.mag"
    assert [path.name for path in sorted((out / "my_melodies").iterdir())] == [f"{n:02}.mid" for n in range(1, 11)]
    assert "--bundle_file=" in (out / "my.html").read_text()
    assert (work / "run" / "train" / "settings.json").is_file()
    # The command that is told makes the melodies again.
    generate = told.splitlines()[-1].removeprefix("More of them: ostinato ").split()
    assert main([*generate, f"--output_dir={tmp_path / 'again'}"]) == 0
    again = [path.read_bytes() for path in sorted((tmp_path / "again").glob("*.mid"))]
    assert again == [path.read_bytes() for path in sorted((out / "my_melodies").iterdir())]
    # The same again changes nothing; other settings do not write over what is there unasked.
    before_again = (out / "my.mag").read_bytes()
    assert main(arguments) == 0
    assert "has learned from these melodies with these settings already; nothing was changed" in capsys.readouterr().out
    assert (out / "my.mag").read_bytes() == before_again
    assert main([*arguments, "--num_training_steps=13"]) == 2
    assert "overwrite it with --force" in capsys.readouterr().err
    assert main([*arguments, "--force"]) == 2
    assert "there is a run in it already" in capsys.readouterr().err
    # The same again, bit for bit; the page elsewhere.
    assert main([*command(tunes, model, "--num_training_steps=12"), "--force", f"--html={tmp_path / 'p.html'}"]) == 0
    same = load_bundle(out / "my.mag")
    assert all((same.arrays[name] == array).all() for name, array in bundle.arrays.items())
    assert (tmp_path / "p.html").is_file()


def test_a_dry_run_tells_what_it_would_learn_from_and_stops(
    tunes: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    (tunes / "notes.txt").write_text("words")
    written = tunes.parent / "report.json"
    flags = ("--dry_run", "--min_bars=1", "--min_unique_pitches=3", f"--json={written}")
    assert main(["learn", str(tunes), *flags]) == 0
    told = capsys.readouterr().out
    assert "read 10 of 11 music files" in told
    assert "  1 file that is not MIDI, MusicXML or ABC: 1 .txt\n  1 file that cannot be read\n" in told
    lines = told.splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("file "))
    assert lines[head].split() == ["file", "track", "bars", "notes", "meter", "off", "grid"]
    rows = lines[head + 1 : head + 11]
    assert [row.split()[0] for row in rows] == [*(f"{number}.mid" for number in range(9)), "more/9.mid"]
    assert sum("held out" in row for row in rows) == 2
    assert told.endswith("Nothing was trained, as --dry_run says\n")
    report = json.loads(written.read_bytes())
    assert (report["files"], report["read"], len(report["learned_from"])) == (11, 10, 10)
    assert sum(one["held_out"] for one in report["learned_from"]) == 2
    assert [path.name for path in tunes.parent.iterdir() if path.suffix == ".mag"] == []


def test_of_many_tracks_the_table_names_the_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, melody in enumerate(tiny_examples.melodies(20)):
        (tmp_path / f"{number:02}.mid").write_bytes(note_sequence_to_midi(melody.to_note_sequence()))
    assert main(["learn", str(tmp_path), "--dry_run", "--min_bars=1", "--min_unique_pitches=3"]) == 0
    told = capsys.readouterr().out
    assert "\nand 7 more; ostinato inspect shows them all\n" in told
    assert told.count(".mid ") == 13


def test_without_an_output_there_is_nothing_to_train_for(tunes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["learn", str(tunes)]) == 2
    assert "--output is missing: the bundle to write" in capsys.readouterr().err


def test_from_scratch(tunes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(tunes, "scratch", "--num_training_steps=1")) == 0
    bundle = load_bundle(tunes.parent / "out" / "my.mag")
    assert bundle.config.name == "ostinato"
    assert bundle.provenance["card"]["began_from"] == "random values"
    assert "before" not in bundle.provenance["card"]["held_out"]


def test_few_tunes_begin_from_the_model_that_comes_with_us(tunes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [argument for argument in command(tunes, "x", "--num_training_steps=1") if "--from" not in argument]
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert "Beginning from ostinato, which comes with Ostinato" in told
    assert "With fewer than 20 melodies the model is changed with care" in told
    bundle = load_bundle(tunes.parent / "out" / "my.mag")
    assert bundle.provenance["card"]["began_from"] == "ostinato"


def test_a_model_of_all_keys_learns_in_all_keys(tunes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    from ostinato.training.network import MelodyNetwork

    config = preset("mono_rnn").with_hparams({"rnn_layer_sizes": [4]})
    arrays = MelodyNetwork(config, generator=torch.Generator().manual_seed(0)).arrays()
    save_bundle(Bundle(config, arrays), tunes.parent / "mono.mag")
    assert main(command(tunes, tunes.parent / "mono.mag", "--num_training_steps=1")) == 0
    assert "96 melodies in 12 transpositions to learn from; 2, of" in capsys.readouterr().out


def test_a_stop_keeps_the_best_so_far(tunes: Path, model: Path) -> None:
    arguments = command(tunes, model, "--minutes=5", f"--work_dir={tunes.parent / 'work'}")
    with subprocess.Popen(
        [sys.executable, "-m", "ostinato", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as job:
        try:
            best = tunes.parent / "work" / "run" / "best"
            deadline = time.monotonic() + 60
            while not list(best.glob("checkpoint-*[1-9]*.safetensors")):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            job.send_signal(signal.SIGINT)
            output, _ = job.communicate(timeout=60)
        finally:
            job.kill()
    assert job.returncode == 128 + signal.SIGINT, output
    assert "stopped at step" in output
    assert load_bundle(tunes.parent / "out" / "my.mag").provenance["step"] > 0


@pytest.mark.parametrize(
    ("wrong", "message", "code"),
    [
        (["--minutes=0"], "--minutes=0: must be above 0", 2),
        (["--num_training_steps=-1"], "--num_training_steps=-1: must be at least 0", 2),
        (["--seed=-1"], "--seed=-1: must be at least 0", 2),
        (["--transpose=up"], "--transpose=up must be LOW..HIGH", 2),
        (["--from=none"], "--from=none: there is no such bundle", 1),
        (["--min_bars=4"], "tunes: no melody in 11 files: ", 1),
    ],
)
def test_what_cannot_be(
    wrong: list[str], message: str, code: int, tunes: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(tunes, model, *wrong)) == code
    error = capsys.readouterr().err.splitlines()[-1]
    assert message in error
    assert not (tunes.parent / "out" / "my.mag").exists()


def test_an_output_that_is_a_folder(tunes: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tunes.parent / "out" / "my.mag").mkdir(parents=True)
    assert main(command(tunes, model)) == 2
    assert "is a folder; name a file in it" in capsys.readouterr().err


def test_a_folder_without_music(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert main(command(tmp_path / "empty", model)) == 1
    assert "empty" in capsys.readouterr().err
    (tmp_path / "empty" / "broken.mid").write_bytes(b"MThd")
    assert main(command(tmp_path / "empty", model)) == 1
    assert "no melody in 1 file: 1 file that cannot be read; the first is broken.mid: " in capsys.readouterr().err


def test_without_pytorch_nothing_is_begun(
    tunes: Path, model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(command(tunes, model)) == 1
    captured = capsys.readouterr()
    assert "pip install torch tensorboard numba" in captured.err
    assert not captured.out
    assert not (tunes.parent / "out").exists()
