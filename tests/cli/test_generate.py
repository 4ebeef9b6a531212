"""`ostinato generate`, as a user meets it."""

import errno
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

import golden_files
from ostinato.bundle import Bundle, array_shapes, checkpoint_path, encode_bundle, load_bundle
from ostinato.cli import generate
from ostinato.cli.main import main
from ostinato.config import preset
from ostinato.formats.midi import read_midi, write_midi
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.generation.generator import Model

BUNDLE = golden_files.SMALL.parent / "gold_attention.mag"
Generate = Callable[..., int]


@pytest.fixture(name="make")
def _make(tmp_path: Path) -> Generate:
    """Run the command in this process, into tmp_path/out."""

    def make(*flags: str, model: str = f"--bundle_file={BUNDLE}") -> int:
        return main(["generate", model, f"--output_dir={tmp_path / 'out'}", *flags])

    return make


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of ours with one checkpoint."""
    folder = tmp_path_factory.mktemp("run")
    config = preset("lookback_rnn").with_hparams({"rnn_layer_sizes": (8,), "batch_size": 64})
    random = np.random.default_rng(0)
    arrays = {name: random.normal(0, 1, shape).astype(np.float32) for name, shape in array_shapes(config).items()}
    path = checkpoint_path(folder / "train", 10)
    path.parent.mkdir()
    path.write_bytes(encode_bundle(Bundle(config, arrays, {"step": 10})))
    return folder


@pytest.fixture
def primer_midi(tmp_path: Path) -> Path:
    """Two tracks in 3/4 at 90 quarters a minute: a short one, and a longer one with chords."""
    notes = NoteSequence(ticks_per_quarter=220)
    notes.tempos.add(qpm=90)
    notes.time_signatures.add(numerator=3, denominator=4)
    notes.instrument_infos.add(instrument=0, name="Flute")
    notes.instrument_infos.add(instrument=1, name="Lute")
    quarter = 60 / 90
    for instrument, pitch, start, end in [(0, 76, 0, 1), (0, 79, 1, 2), (1, 60, 0, 2), (1, 55, 2, 4), (1, 64, 2, 4)]:
        notes.notes.add(
            instrument=instrument,
            program=73 if instrument == 0 else 24,
            pitch=pitch,
            velocity=80,
            start_time=start * quarter,
            end_time=end * quarter,
        )
    notes.total_time = 4 * quarter
    path = tmp_path / "primer.mid"
    write_midi(notes, path)
    return path


def written(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "out").iterdir())


def test_the_command_in_a_process_of_its_own(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ostinato", "generate", f"--bundle_file={BUNDLE}",
         "--output_dir=out", "--num_outputs=10", "--num_steps=128", "--primer_melody=[60]"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    names = [path.name for path in written(tmp_path)]
    assert len(names) == 10
    assert {re.sub(r"_\d\d\.mid$", "", name) for name in names} == {names[0][:-7]}
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d{6}_01\.mid", names[0])
    assert names[9].endswith("_10.mid")
    *lines, last = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [f"out/{name}" for name in names]
    assert all(re.search(r"  \| C4:\d", line) for line in lines)
    assert re.fullmatch(r"10 melodies of attention_rnn in out; the same again with --seed=\d+", last)
    # NumPy alone does it, and nothing that reads MIDI files or draws is loaded.
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "numpy" in loaded
    assert not {"torch", "numba", "matplotlib", "symusic", "tqdm"} & loaded
    for path in written(tmp_path):
        notes = read_midi(path)
        assert notes.notes[0].pitch == 60
        assert len({note.pitch for note in notes.notes}) > 1
        assert notes.total_time <= 128 / 8


def test_the_command_itself_loads_no_numpy() -> None:
    # Before NumPy loads, it says how many threads there shall be.
    program = "import sys, ostinato.cli.main, ostinato.cli.generate; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_seed_gives_the_same_files_and_is_told(
    tmp_path: Path, make: Generate, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make("--num_outputs=2", "--num_steps=24") == 0
    seed = capsys.readouterr().out.split("--seed=")[1].strip()
    first = [path.read_bytes() for path in written(tmp_path)]
    assert make("--num_outputs=2", "--num_steps=24", f"--seed={seed}") == 0
    assert [path.read_bytes() for path in written(tmp_path)] == [*first, *first]
    assert make("--num_outputs=2", "--num_steps=24", f"--seed={int(seed) + 1}") == 0
    assert [path.read_bytes() for path in written(tmp_path)][4:] != first


def test_the_files_hold_what_the_model_makes(tmp_path: Path, make: Generate) -> None:
    flags = {"temperature": 0.9, "beam_size": 2, "branch_factor": 2, "steps_per_iteration": 3}
    assert make(
        "--num_outputs=3", "--num_steps=32", "--primer_melody=[64, -2, 67]", "--seed=5", "--qpm=100",
        *(f"--{name}={value}" for name, value in flags.items()),
    ) == 0  # fmt: skip
    arguments: dict[str, Any] = flags
    melodies = Model(load_bundle(BUNDLE)).generate(32, [64, -2, 67], num_outputs=3, seed=5, **arguments)
    for path, melody in zip(written(tmp_path), melodies, strict=True):
        expected = melody.to_note_sequence(qpm=100)
        found = read_midi(path)
        assert found.tempos[0].qpm == pytest.approx(100)
        assert [(note.pitch, round(note.start_time, 6)) for note in found.notes] == [
            (note.pitch, round(note.start_time, 6)) for note in expected.notes
        ]


def test_a_primer_midi_keeps_tempo_and_metre_and_its_track_is_named(
    tmp_path: Path, make: Generate, primer_midi: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make(f"--primer_midi={primer_midi}", "--num_outputs=1", "--num_steps=48", "--seed=1") == 0
    first, melody, _ = capsys.readouterr().out.splitlines()
    assert first == f"{primer_midi}: 16 steps of track 1 'Lute', 3/4 at 90 quarters a minute"
    assert "| C4:8 E4:4 |" in melody
    (path,) = written(tmp_path)
    assert re.fullmatch(r".*_1\.mid", path.name)
    notes = read_midi(path)
    assert notes.tempos[0].qpm == pytest.approx(90)
    assert [(each.numerator, each.denominator) for each in notes.time_signatures] == [(3, 4)]
    assert [note.pitch for note in notes.notes[:2]] == [60, 64]


def test_a_track_of_the_primer_midi_and_another_tempo(
    tmp_path: Path, make: Generate, primer_midi: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = (f"--primer_midi={primer_midi}", "--primer_track=0", "--qpm=150", "--num_outputs=1", "--num_steps=24")
    assert make(*flags) == 0
    out = capsys.readouterr().out
    assert "8 steps of track 0 'Flute'" in out
    assert "| E5:4 G5:" in out
    assert read_midi(written(tmp_path)[0]).tempos[0].qpm == pytest.approx(150)


def test_a_run_dir_or_a_checkpoint_plays_without_hparams(tmp_path: Path, make: Generate, run_dir: Path) -> None:
    checkpoint = checkpoint_path(run_dir / "train", 10)
    for model in (f"--run_dir={run_dir}", f"--checkpoint_file={checkpoint}"):
        assert make("--seed=1", "--num_outputs=1", "--num_steps=16", model=model) == 0
    first, second = written(tmp_path)
    assert first.read_bytes() == second.read_bytes()


def test_hparams_may_repeat_what_is_stored(make: Generate, run_dir: Path) -> None:
    hparams = "--hparams={'batch_size':64,'rnn_layer_sizes':[8]}"
    assert make(hparams, "--num_outputs=1", "--num_steps=8", model=f"--run_dir={run_dir}") == 0
    # What Magenta's bundles do not tell may be anything.
    assert make("--hparams=batch_size=7,rnn_layer_sizes=[32,32]", "--num_outputs=1", "--num_steps=8") == 0


@pytest.mark.parametrize(
    ("hparams", "named"),
    [("batch_size=128", ("batch_size", "128", "64")), ("rnn_layer_sizes=[8,8]", ("rnn_layer_sizes", "(8, 8)", "(8,)"))],
)
def test_hparams_that_contradict_the_stored_ones_are_refused(
    make: Generate, run_dir: Path, capsys: pytest.CaptureFixture[str], hparams: str, named: tuple[str, ...]
) -> None:
    assert make(f"--hparams={hparams}", model=f"--run_dir={run_dir}") == 2
    error = capsys.readouterr().err
    assert all(word in error for word in named)
    assert error.count("\n") == 1


def test_another_config_is_refused(make: Generate, capsys: pytest.CaptureFixture[str]) -> None:
    assert make("--config=attention_rnn", "--num_outputs=1", "--num_steps=4") == 0
    assert make("--config=mono_rnn") == 2
    assert "the model is of the config attention_rnn, not mono_rnn" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["--primer_melody=[60, 62"], 2, "--primer_melody='[60, 62' is no list of events"),
        (["--primer_melody=60"], 2, "--primer_melody='60' is no list of events"),
        (["--primer_melody=__import__('os')"], 2, "is no list of events"),
        (["--primer_melody=[60, 128]"], 2, "--primer_melody: event 128 at step 1"),
        (["--primer_melody=[60, 'C']"], 2, "--primer_melody: event 'C' at step 1"),
        (["--primer_melody=[]"], 2, "--primer_melody: the primer [] holds no note"),
        (["--primer_melody=[-2, -2]"], 2, "--primer_melody: the primer [-2, -2] holds no note"),
        (
            ["--primer_melody=[60, 62]", "--num_steps=2"],
            2,
            "--primer_melody: the primer is 2 steps long but 2 steps were asked for in all; ask for more",
        ),
        (["--primer_melody=[60]", "--primer_midi=x.mid"], 2, "either --primer_melody or --primer_midi"),
        (["--primer_track=1"], 2, "--primer_track is a track of --primer_midi, which is missing"),
        (["--primer_midi=nowhere.mid"], 1, "nowhere.mid"),
        (["--num_outputs=0"], 2, "num_outputs must be a whole number of 1 or more, not 0"),
        (["--num_steps=0"], 2, "num_steps must be a whole number of 1 or more, not 0"),
        (["--temperature=0"], 2, "temperature must be a number above 0, not 0"),
        (["--temperature=nan"], 2, "temperature must be a number above 0, not nan"),
        (["--beam_size=0"], 2, "beam_size must be"),
        (["--branch_factor=0"], 2, "branch_factor must be"),
        (["--steps_per_iteration=0"], 2, "steps_per_iteration must be"),
        (["--seed=-1"], 2, "seed must be a whole number of 0 or more, not -1"),
        (["--qpm=0"], 2, "tempo must be above 0 quarters a minute, not 0"),
        (["--hparams=batch_size"], 2, "--hparams='batch_size' cannot be read"),
        (["--hparams=rnn_layer_sizes=[64]"], 2, "rnn_layer_sizes"),
        ([f"--run_dir={BUNDLE.parent}"], 2, "give one of --run_dir, --checkpoint_file and --bundle_file"),
    ],
)
def test_what_cannot_be_is_one_line_and_makes_nothing(
    tmp_path: Path, make: Generate, capsys: pytest.CaptureFixture[str], flags: list[str], code: int, words: str
) -> None:
    assert make(*flags) == code
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert not (tmp_path / "out").exists()


def test_a_model_must_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", f"--output_dir={tmp_path}"]) == 2
    assert "what to play; there are 0" in capsys.readouterr().err


def test_a_run_dir_without_a_checkpoint(tmp_path: Path, make: Generate, capsys: pytest.CaptureFixture[str]) -> None:
    assert make(model=f"--run_dir={tmp_path}") == 1
    error = capsys.readouterr().err
    assert str(tmp_path) in error
    assert "no checkpoint" in error


def test_a_primer_midi_too_long_or_without_a_melody(
    tmp_path: Path, make: Generate, primer_midi: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make(f"--primer_midi={primer_midi}", "--num_steps=16") == 2
    assert f"{primer_midi}: the primer is 16 steps long but 16 steps were asked for" in capsys.readouterr().err
    assert make(f"--primer_midi={primer_midi}", "--primer_track=7") == 1
    assert "no melody in track 7" in capsys.readouterr().err
    silent = tmp_path / "silent.mid"
    write_midi(NoteSequence(ticks_per_quarter=220), silent)
    assert make(f"--primer_midi={silent}") == 1
    assert f"{silent}: there is no melody in it" in capsys.readouterr().err


class Noon(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: Any = None) -> Self:
        return cls(2016, 7, 15, 23, 59, 59)


def test_no_file_is_ever_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "datetime", Noon)
    first = generate._write_new(tmp_path, [b"a"] * 10)
    assert [path.name for path in first][::9] == ["2016-07-15_235959_01.mid", "2016-07-15_235959_10.mid"]
    second = generate._write_new(tmp_path, [b"b"] * 10)
    assert second[0].name == "2016-07-16_000000_01.mid"
    # One name of the next second is taken, by whomever: none of that second's is used.
    (tmp_path / "2016-07-16_000001_07.mid").write_bytes(b"mine")
    third = generate._write_new(tmp_path, [b"c"] * 10)
    assert third[0].name == "2016-07-16_000002_01.mid"
    assert len(list(tmp_path.iterdir())) == 31
    assert {path.read_bytes() for path in first} == {b"a"}
    assert (tmp_path / "2016-07-16_000001_07.mid").read_bytes() == b"mine"
    assert generate._write_new(tmp_path, [b"d"])[0].name == "2016-07-15_235959_1.mid"
    assert generate._write_new(tmp_path, [b"e"] * 100)[4].name == "2016-07-15_235959_005.mid"


def test_two_processes_in_one_second_keep_apart(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys, time\n"
        "from ostinato.cli.generate import _write_new\n"
        "time.sleep(max(0, float(sys.argv[1]) - time.time()))\n"
        "for _ in range(5): _write_new(pathlib.Path(sys.argv[2]), [sys.argv[3].encode()] * 20)"
    )
    start = str(datetime.now().timestamp() + 1)
    processes = [subprocess.Popen([sys.executable, "-c", program, start, str(tmp_path), who]) for who in "ab"]
    assert [process.wait() for process in processes] == [0, 0]
    sets: dict[str, set[bytes]] = {}
    for path in tmp_path.iterdir():
        sets.setdefault(path.name[:17], set()).add(path.read_bytes())
    assert len(list(tmp_path.iterdir())) == 200
    assert all(len(contents) == 1 for contents in sets.values())
    assert len(sets) == 10


def test_a_full_disk_leaves_no_half_a_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain_open = Path.open

    def full_at_the_third(path: Path, mode: str) -> Any:
        if path.name.endswith("_3.mid"):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return plain_open(path, mode)

    monkeypatch.setattr(Path, "open", full_at_the_third)
    with pytest.raises(OSError, match="No space left"):
        generate._write_new(tmp_path, [b"a"] * 5)
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_can_be_saved_as_a_bundle(tmp_path: Path, make: Generate, run_dir: Path) -> None:
    bundle_file = tmp_path / "mine.mag"
    flags = ["--save_generator_bundle", f"--bundle_file={bundle_file}", "--bundle_description=three airs"]
    assert make(*flags, model=f"--run_dir={run_dir}") == 0
    assert not (tmp_path / "out").exists()
    bundle = load_bundle(bundle_file)
    assert bundle.config.hparams.rnn_layer_sizes == (8,)
    assert "three airs" in bundle.provenance["description"]
    saved, original = Model(bundle), Model(load_bundle(run_dir))
    assert saved.generate(16, [60], seed=1) == original.generate(16, [60], seed=1)


@pytest.mark.parametrize(
    ("flags", "words"),
    [(["--bundle_file=x.mag"], "from either --run_dir or --checkpoint_file"), (["--run_dir=x"], "needs --bundle_file")],
)
def test_saving_a_bundle_needs_both_ends(
    make: Generate, capsys: pytest.CaptureFixture[str], flags: list[str], words: str
) -> None:
    assert make(*flags, model="--save_generator_bundle") == 2
    assert words in capsys.readouterr().err


def test_without_a_primer_there_are_only_notes_of_the_range(tmp_path: Path, make: Generate) -> None:
    assert make("--num_outputs=20", "--num_steps=2", "--seed=0") == 0
    firsts = {read_midi(path).notes[0].pitch for path in written(tmp_path)}
    assert len(firsts) > 5
    assert firsts <= set(range(48, 84))


def test_the_melody_is_one_line(make: Generate, capsys: pytest.CaptureFixture[str]) -> None:
    assert make("--num_outputs=1", "--num_steps=5", "--primer_melody=[60, -2, -1, 62]", "--temperature=0.001") == 0
    line, _ = capsys.readouterr().out.splitlines()
    assert line.split("  ", 1)[1].startswith("| C4:2 r:1 D4:")
