"""`ostinato generate`, as a user meets it."""

import errno
import html
import re
import shlex
import shutil
import signal
import subprocess
import sys
import wave
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

import golden_files
from ostinato.bundle import Bundle, array_shapes, checkpoint_path, encode_bundle, load_bundle
from ostinato.cli import generate, terminal
from ostinato.cli.main import main, main_by_magenta_name
from ostinato.config import preset
from ostinato.dataset.convert import read_music
from ostinato.formats.midi.reader import read_midi
from ostinato.formats.midi.writer import write_midi
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.front import extract_melodies
from ostinato.generation import model as model_module
from ostinato.generation.model import Model
from ostinato.generation.options import DEFAULT_CHORD_STRENGTH
from ostinato.generation.search import Growing, most_varied
from ostinato.music.melody import Melody
from ostinato.shipped import BEST_MODEL, load_shipped

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


def test_a_primer_midi_keeps_tempo_and_meter_and_its_track_is_named(
    tmp_path: Path, make: Generate, primer_midi: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make(f"--primer_midi={primer_midi}", "--num_outputs=1", "--num_steps=48", "--seed=1") == 0
    first, why, melody, _ = capsys.readouterr().out.splitlines()
    # The longer one is chords.
    assert first == f"{primer_midi}: 8 steps of track 0 'Flute', bar 1, 3/4 at 90 quarters a minute"
    assert why.startswith("  it is most likely the melody: ")
    assert why.endswith("; next is track 1 'Lute' (--primer_track=1)")
    assert "| E5:4 G5:" in melody
    (path,) = written(tmp_path)
    assert re.fullmatch(r".*_1\.mid", path.name)
    notes = read_midi(path)
    assert notes.tempos[0].qpm == pytest.approx(90)
    assert [(each.numerator, each.denominator) for each in notes.time_signatures] == [(3, 4)]
    assert [note.pitch for note in notes.notes[:2]] == [76, 79]


@pytest.mark.parametrize("flag", ["--primer", "--primer_midi", "--primer_abc", "--primer_musicxml"])
def test_a_primer_of_any_format_by_what_is_in_it(
    tmp_path: Path, make: Generate, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    # The first tune has no note, so the book's second one is taken; the name says nothing.
    (tmp_path / "book.txt").write_text("X:1\nM:4/4\nK:C\nz8|\n\nX:2\nM:3/4\nL:1/4\nK:C\nCDE|FGA|Bcd|\n\nX:3\nK:C\nC|\n")
    assert make(f"{flag}={tmp_path}/book.txt", "--primer_bars=2-3", "--num_outputs=1", "--num_steps=40") == 0
    out = capsys.readouterr().out
    assert f"{tmp_path}/book.txt: 24 steps of track 0 of tune 1 of 2, bars 2-3, 3/4 at 120 quarters" in out
    assert "| F4:4 G4:4 A4:4 | B4:4 C5:4 D5:" in out


def test_a_track_of_the_primer_midi_and_another_tempo(
    tmp_path: Path, make: Generate, primer_midi: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = (f"--primer_midi={primer_midi}", "--primer_track=1", "--qpm=150", "--num_outputs=1", "--num_steps=24")
    assert make(*flags) == 0
    out = capsys.readouterr().out
    assert "16 steps of track 1 'Lute', bars 1-2, 3/4" in out
    assert "likeliest" not in out
    assert "| C4:8 E4:4 |" in out
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
    assert "the model's config is attention_rnn, not mono_rnn" in capsys.readouterr().err


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
        (["--primer_melody=[60]", "--primer_midi=x.mid"], 2, "either --primer_melody or --primer, not"),
        (["--primer_track=1"], 2, "--primer_track is a track of --primer, which is missing"),
        (["--primer_bars=1-2"], 2, "--primer_bars are bars of --primer, which is missing"),
        (["--primer_midi=x.mid", "--primer_bars=2-1"], 2, "--primer_bars=2-1: write the first and the last bar"),
        (["--primer_midi=x.mid", "--primer_bars=0"], 2, "--primer_bars=0: write the first and the last bar"),
        (["--primer_midi=nowhere.mid"], 1, "nowhere.mid"),
        (["--num_outputs=0"], 2, "num_outputs must be a whole number of 1 or more, not 0"),
        (["--num_steps=0"], 2, "num_steps must be a whole number of 1 or more, not 0"),
        (["--temperature=0"], 2, "temperature must be a number above 0, not 0"),
        (["--temperature=nan"], 2, "temperature must be a number above 0, not nan"),
        (["--beam_size=0"], 2, "beam_size must be"),
        (["--branch_factor=0"], 2, "branch_factor must be"),
        (["--steps_per_iteration=0"], 2, "steps_per_iteration must be"),
        (["--seed=-1"], 2, "seed must be a whole number of 0 or more, not -1"),
        (["--qpm=0"], 2, "tempo must be above 0 quarter notes a minute, not 0"),
        (["--hparams=batch_size"], 2, "--hparams='batch_size' cannot be read"),
        (["--hparams=rnn_layer_sizes=[64]"], 2, "rnn_layer_sizes"),
        (["--key=H"], 2, "there is no key 'H'; write a tonic and a mode"),
        (["--top_k=-1"], 2, "top_k must be a whole number of 0 or more, not -1"),
        (["--top_p=1.5"], 2, "top_p must be a share above 0 and up to 1, not 1.5"),
        (["--min_note=H3"], 2, "--min_note: 'H3' is not a note; write a MIDI number in 0..127"),
        (["--max_note=128"], 2, "--max_note: '128' is not a note"),
        (["--min_note=C5", "--max_note=C4"], 2, "min_note=72 lies above max_note=60"),
        (["--min_note=C#4", "--max_note=61", "--key=C"], 2, "there is no note of C major within 61..61"),
        (["--primer_melody=[60]", "--min_note=C7"], 2, "makes notes of 48..83 (C3..B5), and none of them is within 96"),
        (["--meter=waltz"], 2, "'waltz' is not a meter; write it like 4/4"),
        (["--meter=6-8"], 2, "'6-8' is not a meter; did you mean 6/8?"),
        (["--key=D dorain"], 2, "did you mean D dorian?"),
        (["--num_steps=16", "--num_bars=1"], 2, "give either --num_steps or --num_bars, not both"),
        (["--num_bars=0"], 2, "--num_bars=0: there must be at least 1 bar"),
        (["--no_primer_in_output"], 2, "--no_primer_in_output leaves out a primer, but there is none"),
        (["--rank=9"], 2, "rank=9 melodies are too few to keep num_outputs=10 of them"),
        (["--rank_by=varied"], 2, "--rank_by=varied chooses among --rank=N melodies, which is missing"),
        (["--soundfont=x.sf2"], 2, "--soundfont plays --wav, which is missing"),
        ([f"--run_dir={BUNDLE.parent}"], 2, "give one of --bundle_file, --checkpoint_file and --run_dir; there are 2"),
    ],
)
def test_what_cannot_be_is_one_line_and_makes_nothing(
    tmp_path: Path, make: Generate, capsys: pytest.CaptureFixture[str], flags: list[str], code: int, words: str
) -> None:
    assert make(*flags) == code
    captured = capsys.readouterr()
    *told, error = captured.err.splitlines()
    assert error.startswith("ostinato generate: ")
    assert words in error
    assert all(line.endswith("kept") for line in told)
    assert captured.out == ""
    assert not (tmp_path / "out").exists()


def test_without_a_model_the_best_shipped_one_plays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = [f"--output_dir={tmp_path / 'out'}", "--num_outputs=2", "--num_steps=24", "--seed=4"]
    assert main(["generate", *flags]) == 0
    assert f"2 melodies of the built-in model {BEST_MODEL} in " in capsys.readouterr().out
    assert main(["generate", *flags, f"--config={BEST_MODEL}"]) == 0
    by_default, by_name = [path.read_bytes() for path in written(tmp_path)][::2]
    assert by_default == by_name
    expected = Model(load_shipped()).generate(24, num_outputs=2, seed=4)
    assert [note.pitch for note in read_midi(written(tmp_path)[0]).notes] == list(expected[0].pitches)


def test_a_config_names_a_shipped_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = [f"--output_dir={tmp_path}", "--num_outputs=1", "--num_steps=8"]
    assert main(["generate", *flags, "--config=attention_rnn"]) == 0
    assert "1 melody of the built-in model attention_rnn" in capsys.readouterr().out
    assert main(["generate", *flags, "--config=nonsense"]) == 2
    assert "no built-in model is called 'nonsense'; there are ostinato, lieder" in capsys.readouterr().err
    # Magenta's command of that model has the config set.
    monkeypatch.setattr("sys.argv", ["lookback_rnn_generate", *flags])
    assert main_by_magenta_name() == 0
    assert "the built-in model lookback_rnn" in capsys.readouterr().out


def test_key_and_range_by_name(tmp_path: Path, make: Generate) -> None:
    assert make("--key=Eb minor", "--min_note=Eb4", "--max_note=Bb5", "--num_outputs=5", "--seed=1") == 0
    pitches = {note.pitch for path in written(tmp_path) for note in read_midi(path).notes}
    assert {pitch % 12 for pitch in pitches} <= {3, 5, 6, 8, 10, 11, 1}
    assert 63 <= min(pitches) < max(pitches) <= 82


def test_the_sampling_options_reach_the_model(tmp_path: Path, make: Generate) -> None:
    assert make(
        "--num_outputs=2", "--num_steps=40", "--primer_melody=[62, -2]", "--seed=5", "--top_k=3", "--top_p=0.9",
        "--key=D", "--min_note=57", "--max_note=81", "--meter=6/8",
    ) == 0  # fmt: skip
    melodies = Model(load_bundle(BUNDLE)).generate(
        40, [62, -2], num_outputs=2, seed=5, top_k=3, top_p=0.9, key="D", min_note=57, max_note=81, steps_per_bar=12
    )
    for path, melody in zip(written(tmp_path), melodies, strict=True):
        assert [note.pitch for note in read_midi(path).notes] == list(melody.pitches)


@pytest.mark.parametrize(("meter", "steps"), [("6/8", 12), ("3/4", 12), ("9/8", 18), ("2/4", 8), ("4/4", 16)])
def test_the_files_say_their_meter(
    tmp_path: Path, make: Generate, capsys: pytest.CaptureFixture[str], meter: str, steps: int
) -> None:
    flags = (f"--meter={meter}", "--num_bars=3", "--num_outputs=1")
    for primer in ((), ("--primer_melody=[60]",)):
        assert make(*flags, *primer) == 0
        line, _ = capsys.readouterr().out.splitlines()
        bars = line.split("| ", 1)[1].rstrip(" |").split(" | ")
        assert [sum(int(note.split(":")[1]) for note in bar.split()) for bar in bars] == [steps] * 3
    for path in written(tmp_path):
        signatures = [(each.numerator, each.denominator) for each in read_midi(path).time_signatures]
        assert signatures == [tuple(map(int, meter.split("/")))]


def test_a_primer_midi_has_a_meter_of_its_own(
    tmp_path: Path, make: Generate, primer_midi: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make(f"--primer_midi={primer_midi}", "--meter=3/4", "--num_bars=3", "--num_outputs=1") == 0
    # As long a bar, but another meter.
    capsys.readouterr()
    assert make(f"--primer_midi={primer_midi}", "--meter=6/8", "--num_bars=3") == 2
    assert f"{primer_midi}: the primer is in 3/4, not in --meter=6/8; leave --meter out" in capsys.readouterr().err
    assert make(f"--primer_midi={primer_midi}", "--primer_track=1", "--num_bars=1") == 2
    assert f"{primer_midi}: the primer is 16 steps long but 12 steps were asked for" in capsys.readouterr().err
    assert len(written(tmp_path)) == 1


def test_the_primer_can_be_left_out(tmp_path: Path, make: Generate, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ("--primer_melody=[60, -2, 62, -2, 64, -2, 65, -2]", "--num_steps=24", "--num_outputs=1", "--seed=2")
    assert make(*flags) == make(*flags, "--no_primer_in_output") == 0
    whole, rest = written(tmp_path)
    second = 1.0  # the eight steps of the primer
    expected, found = read_midi(whole).notes[4:], read_midi(rest).notes
    assert [note.pitch for note in found] == [note.pitch for note in expected]
    assert [note.start_time for note in found] == pytest.approx([note.start_time - second for note in expected])


def test_the_likeliest_are_kept(tmp_path: Path, make: Generate, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ("--num_steps=24", "--primer_melody=[60]", "--seed=2", "--temperature=1.3")
    assert make(*flags, "--rank=12", "--num_outputs=3") == 0
    assert ", the likeliest of 12; the same again with --seed=2" in capsys.readouterr().out
    made = Model(load_bundle(BUNDLE)).generate_traced(24, [60], 1.3, 12, 2)
    best = sorted(made, key=lambda each: -each.log_likelihood)[:3]
    for path, each in zip(written(tmp_path), best, strict=True):
        assert [note.pitch for note in read_midi(path).notes] == list(each.melody.pitches)


def test_the_most_varied_are_kept(tmp_path: Path, make: Generate, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ("--num_steps=24", "--primer_melody=[60, 62]", "--seed=2")
    assert make(*flags, "--rank=12", "--rank_by=varied", "--num_outputs=4") == 0
    assert ", the most varied of 12; the same again with --seed=2" in capsys.readouterr().out
    made = Model(load_bundle(BUNDLE)).generate(24, [60, 62], num_outputs=12, seed=2)
    kept = most_varied([Melody(melody[2:]) for melody in made], 4)
    for path, place in zip(written(tmp_path), kept, strict=True):
        assert [note.pitch for note in read_midi(path).notes] == list(made[place].pitches)


def test_a_page_shows_the_melodies_and_their_command(
    tmp_path: Path, make: Generate, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "pages" / "melodies.html"
    assert make(f"--html={page}", "--key=A minor", "--num_outputs=3", "--num_steps=32", "--meter=6/8", "--wav") == 0
    out = capsys.readouterr().out
    assert f"{page}: a page to see and hear them" in out
    text = page.read_text(encoding="utf-8")
    assert "3 melodies of attention_rnn" in text
    seed = re.search(r"--seed=(\d+)", out)
    assert seed
    shown = re.sub(r"<[^>]+>", "", text[text.index('id="command"') :].split("</pre>")[0].split(">", 1)[1])
    # Typed again, the command makes the same melodies.
    words = shlex.split(html.unescape(shown))
    assert words[:2] == ["ostinato", "generate"]
    assert {"--key=A minor", "--wav", "--meter=6/8", f"--seed={seed[1]}"} <= set(words)
    assert main(words[1:]) == 0
    files = [path.read_bytes() for path in written(tmp_path) if path.suffix == ".mid"]
    assert files[:3] == files[3:]
    assert all(path.name in text for path in written(tmp_path)[:6] if path.suffix == ".mid")


def test_each_melody_has_its_sound(tmp_path: Path, make: Generate) -> None:
    assert make("--wav", "--num_outputs=2", "--num_steps=16", "--primer_melody=[60, -2, 64]") == 0
    names = [path.name for path in written(tmp_path)]
    assert [name.rpartition(".")[2] for name in names] == ["mid", "wav"] * 2
    assert [Path(name).stem for name in names[::2]] == [Path(name).stem for name in names[1::2]]
    for path in written(tmp_path)[1::2]:
        with wave.open(str(path)) as sound:
            assert sound.getframerate() == 44_100
            assert sound.getnframes() >= 2 * 44_100


def test_scores_stand_beside_the_midi_files(tmp_path: Path, make: Generate, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        make("--abc", "--musicxml", "--num_outputs=2", "--num_bars=2", "--meter=6/8", "--key=E minor", "--qpm=90") == 0
    )
    midi = [path for path in written(tmp_path) if path.suffix == ".mid"]
    (book,) = [path for path in written(tmp_path) if path.suffix == ".abc"]
    assert midi[0].stem == f"{book.stem}_1"
    assert f"{book}: a tune book of them in ABC" in capsys.readouterr().out
    assert (
        book.read_text(encoding="utf-8")
        .split("\n\n")[2]
        .startswith(f"X:2\nT:{midi[1].stem}\nM:6/8\nL:1/8\nQ:1/4=90\nK:Em\n")
    )
    for path, tune in zip(midi, read_music(book), strict=True):
        (played,), (score,) = read_music(path), read_music(path.with_suffix(".musicxml"))
        notes, *written_down = [
            [(note.pitch, round(note.start_time * 6), round(note.end_time * 6)) for note in sequence.notes]
            for sequence in (played, score, tune)
        ]
        assert written_down == [notes, notes]


def test_a_soundfont_that_cannot_play_leaves_nothing_behind(
    tmp_path: Path, make: Generate, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.sf2").write_bytes(b"RIFF")
    for name in ("missing.sf2", "broken.sf2"):
        assert make("--wav", f"--soundfont={tmp_path / name}", "--num_outputs=1", "--num_steps=8") == 1
        assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_run_dir_without_a_checkpoint(tmp_path: Path, make: Generate, capsys: pytest.CaptureFixture[str]) -> None:
    assert make(model=f"--run_dir={tmp_path}") == 1
    error = capsys.readouterr().err
    assert str(tmp_path) in error
    assert "no checkpoint" in error


def test_a_primer_midi_too_long_or_without_a_melody(
    tmp_path: Path, make: Generate, primer_midi: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make(f"--primer_midi={primer_midi}", "--primer_track=1", "--num_steps=16") == 2
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
    # Nor is a second shared by sets with other digits, for both would call a tune book by it.
    assert generate._write_new(tmp_path, [b"d"])[0].name == "2016-07-16_000001_1.mid"
    assert generate._write_new(tmp_path, [b"e"] * 100)[4].name == "2016-07-16_000003_005.mid"


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
        if "_3.mid." in path.name:  # which has a temporary name until it is whole
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return plain_open(path, mode)

    monkeypatch.setattr(Path, "open", full_at_the_third)
    with pytest.raises(OSError, match="No space left"):
        generate._write_new(tmp_path, [b"a"] * 5)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(NotADirectoryError):
        generate._write_new(tmp_path / "out", [b"a"])


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


def test_bars_end_unless_told_not_to(tmp_path: Path, make: Generate, capsys: pytest.CaptureFixture[str]) -> None:
    lengths = []
    for flags in (["--num_bars=4"], ["--num_bars=4", "--no_ending"], ["--until_end", "--num_bars=8"]):
        capsys.readouterr()
        assert (
            make(*flags, "--no_upbeat", "--num_outputs=3", "--seed=1", "--meter=6/8", model=f"--config={BEST_MODEL}")
            == 0
        )
        shown = capsys.readouterr().out.splitlines()[:3]
        # Each note and rest of a line has its length after the colon.
        lengths.append([sum(map(int, re.findall(r":(\d+)", line.split("|", 1)[1]))) for line in shown])
    ending, cut, until_end = lengths
    assert all(36 < length <= 48 for length in ending)
    assert cut == [48] * 3
    assert all(1 < length <= 96 for length in until_end)
    sequence = read_midi(written(tmp_path)[0])
    assert [(each.numerator, each.denominator) for each in sequence.time_signatures] == [(6, 8)]


def test_bars_of_a_file_are_filled(tmp_path: Path, make: Generate) -> None:
    primer = Path(__file__).parents[2] / "data" / "aird" / "midi" / "book5_0900.mid"
    assert make(f"--primer={primer}", "--fill_bars=3-4", "--num_outputs=2", "--seed=1") == 0
    (whole, *_) = extract_melodies(read_midi(primer))
    bar = whole.steps_per_bar
    for path in written(tmp_path):
        (filled,) = extract_melodies(read_midi(path))
        assert (filled[: 2 * bar], filled[4 * bar : len(whole)]) == (whole[: 2 * bar], whole[4 * bar :])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--until_end", "--num_steps=64"], "give --num_bars in place of --num_steps"),
        (["--fill_bars=2"], "--fill_bars are bars of a primer, which is missing"),
        (["--primer_melody=[60, 62]", "--fill_bars=2", "--num_bars=4"], "leave --num_bars out"),
        (["--primer_melody=[60, 62]", "--fill_bars=1"], "--primer_melody: fill=1-1 leaves nothing to follow it"),
        (["--primer_melody=[60, 62]", "--fill_bars=x"], "--fill_bars=x: write the first and the last bar"),
        (["--until_end"], "has not learned where tunes end"),
    ],
)
def test_ends_and_fills_that_cannot_be(
    make: Generate, capsys: pytest.CaptureFixture[str], flags: list[str], message: str
) -> None:
    assert make(*flags, "--seed=1") == 2
    assert message in capsys.readouterr().err


def test_without_a_primer_there_are_only_notes_of_the_range(tmp_path: Path, make: Generate) -> None:
    assert make("--num_outputs=20", "--num_steps=2", "--seed=0") == 0
    firsts = {read_midi(path).notes[0].pitch for path in written(tmp_path)}
    assert len(firsts) > 5
    assert firsts <= set(range(48, 84))


def test_the_melody_is_one_line(make: Generate, capsys: pytest.CaptureFixture[str]) -> None:
    assert make("--num_outputs=1", "--num_steps=5", "--primer_melody=[60, -2, -1, 62]", "--temperature=0.001") == 0
    line, _ = capsys.readouterr().out.splitlines()
    assert line.split("  ", 1)[1].startswith("| C4:2 r:1 D4:")


def test_the_commands_of_the_documentation_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Path(__file__).parents[2]
    page = (project / "docs" / "guides" / "generate.md").read_text(encoding="utf-8")
    (tmp_path / "data").symlink_to(project / "data")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```sh\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    commands = [shlex.split(line) for block in blocks for line in block.splitlines()]
    assert len(commands) >= 8
    for program, command, *flags in commands:
        assert (program, command) == ("ostinato", "generate")
        assert main([command, *flags]) == 0, flags
    assert (tmp_path / "melodies.html").is_file()
    for program in re.findall(r"^```python\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL):
        exec(compile(program, "generate.md", "exec"), {})


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--num_outputs=100000000"], "100,000,000 melodies of 128 steps would take about"),
        (["--num_steps=1000000000"], "a melody of 1,000,000,000 steps would take about"),
        (["--num_bars=1", "--beam_size=100000000"], "a beam of 100,000,000 melodies would take about"),
        (
            ["--num_steps=100000", "--wav"],
            "--wav: melodies of 100,000 steps at 120 quarters a minute last 12,500 seconds, but at most 1,800 can be",
        ),
    ],
)
def test_a_number_too_large_is_refused(
    make: Generate, tmp_path: Path, flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make(*flags) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_ctrl_c_keeps_what_is_made_so_far(
    make: Generate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make("--num_steps=64", "--num_outputs=2", "--seed=1") == 0
    whole = [read_midi(path) for path in sorted((tmp_path / "out").iterdir())]
    capsys.readouterr()
    shutil.rmtree(tmp_path / "out")
    _interrupt_at(40, monkeypatch)
    assert make("--num_steps=64", "--num_outputs=2", "--seed=1", "--abc") == 130
    out, told = capsys.readouterr()
    assert told == (
        "stopping after this step\n"
        "stopped: none of 2 melodies is finished; 2 are kept as far as they go, 41 of 64 steps\n"
    )
    assert "2 melodies of attention_rnn in" in out
    made = sorted((tmp_path / "out").glob("*.mid"))
    for path, longer in zip(made, whole, strict=True):
        notes = read_midi(path).notes
        assert notes
        # A step is an eighth of a second, and the last note may have been cut.
        assert [note.pitch for note in notes] == [note.pitch for note in longer.notes[: len(notes)]]
        assert notes[-1].end_time <= 41 / 8
    assert len(list((tmp_path / "out").glob("*.abc"))) == 1


def test_ctrl_c_leaves_out_melodies_that_are_not_finished_if_others_are(
    make: Generate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(model_module, "_MELODIES_AT_ONCE", 2)
    _interrupt_at(15 + 15 + 3, monkeypatch)
    assert make("--num_steps=16", "--num_outputs=7") == 130
    assert "stopped: 4 of 7 melodies are finished and kept\n" in capsys.readouterr().err
    assert len(list((tmp_path / "out").iterdir())) == 4


def _interrupt_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C in this step of all that are drawn."""
    steps = iter(range(1, 10**6))
    extend = Growing.extend

    def interrupted(melodies: Growing) -> Any:
        if next(steps) == step:
            signal.raise_signal(signal.SIGINT)
        return extend(melodies)

    monkeypatch.setattr(Growing, "extend", interrupted)


def test_long_work_shows_how_far_it_is_and_only_where_somebody_sees_it(
    make: Generate, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make("--num_steps=64", "--num_outputs=2") == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(terminal, "shows_bars", lambda: True)
    monkeypatch.setattr(generate, "_PATIENCE", 0)
    assert make("--num_steps=64", "--num_outputs=2") == 0
    shown = capsys.readouterr().err
    assert "100%|" in shown
    assert "126/126 [" in shown  # the first note of each is given
    assert "steps/s" in shown


def test_melodies_over_chords(make: Generate, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ("--chords=C | Am | F G | C", "--chord_strength=1", "--accompaniment=bass", "--num_outputs=1")
    assert make(*flags, "--num_steps=64", "--seed=2", "--abc", "--musicxml", "--wav") == 0
    (path,) = (tmp_path / "out").glob("*.mid")
    chords = ((0, "C"), (16, "Am"), (32, "F"), (40, "G"), (48, "C"))
    for written in (path, path.with_suffix(".musicxml"), *path.parent.glob("*.abc")):
        notes = read_music(written)[0]
        # The melody may begin with silence, and scores do not say how it ends.
        assert tuple((round(8 * text.time), text.text) for text in notes.text_annotations) == chords
    assert {note.instrument for note in read_midi(path).notes} == {0, 1}
    assert path.with_suffix(".wav").exists()
    assert "the same again with --seed=2" in capsys.readouterr().out


def test_the_primer_is_left_out_of_the_chords_too(make: Generate, tmp_path: Path) -> None:
    flags = ("--primer_melody=[60, -2, 62, -2, 64, -2, 65, -2]", "--no_primer_in_output", "--chords=C F | G")
    assert make(*flags, "--num_steps=32", "--num_outputs=1") == 0
    (path,) = (tmp_path / "out").glob("*.mid")
    assert [(8 * text.time, text.text) for text in read_midi(path).text_annotations] == [(0, "F"), (8, "G")]


def test_help_names_the_strength_that_the_options_have() -> None:
    assert generate._CHORD_STRENGTH == DEFAULT_CHORD_STRENGTH


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--chords=C | Xx"], "bar 2: there is no chord 'Xx'"),
        (["--chords=C", "--chord_strength=2"], "chord_strength must be from 0 (not heard) to 1 (strict), not 2.0"),
        (["--chord_strength=0.5"], "--chord_strength is that of --chords, which are missing"),
        (["--accompaniment=block"], "--accompaniment=block plays chords, which are missing; see --chords"),
        (["--primer=data/aird/midi/book5_0900.mid", "--accompaniment=block"], "plays chords, but the melody has none"),
    ],
)
def test_chords_that_cannot_be(
    make: Generate, flags: list[str], says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    assert make(*flags, "--num_outputs=1", "--num_steps=400") == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
