import errno
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from ostinato.cli import main as front_door

PROJECT = Path(__file__).parent.parent.parent
GOLD = PROJECT / "tests" / "golden" / "gold_attention.mag"
AIRD = PROJECT / "data" / "aird" / "midi"


def ostinato(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "ostinato", *arguments], capture_output=True, text=True, check=False)


def test_help_names_every_command() -> None:
    done = ostinato("--help")
    assert done.returncode == 0
    for command in front_door.COMMANDS:
        assert f"\n  {command} " in done.stdout
    assert ostinato().returncode == 2


def test_the_version() -> None:
    with (PROJECT / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    for flag in ("--version", "-V"):
        assert ostinato(flag).stdout == f"ostinato {version}\n"


@pytest.mark.parametrize("command", front_door.COMMANDS)
def test_every_flag_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    for each in front_door.parsers_of(front_door.parser_of(command)):
        assert [action.dest for action in each._actions if not action.help] == []


def test_an_unknown_command_says_where_the_known_ones_are() -> None:
    done = ostinato("sing")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "ostinato: no command is called sing; ostinato --help lists all\n"


def test_an_unknown_flag_is_one_line() -> None:
    done = ostinato("generate", "--xq=11")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "ostinato generate: no flag is called --xq; see ostinato generate --help\n"


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["generte"], 2, "ostinato: no command is called generte; did you mean generate?"),
        (["--versoin"], 2, "ostinato: no flag is called --versoin; did you mean --version?"),
        (
            ["generate", "--temprature=0.9"],
            2,
            "ostinato generate: no flag is called --temprature; did you mean --temperature?",
        ),
        (["generate", "--temp-rature=0.9"], 2, "no flag is called --temp_rature; did you mean --temperature?"),
        (["generate", "-num_steps=8"], 2, "no flag is called -num_steps; did you mean --num_steps?"),
        (["generate", "num-steps=8"], 2, "it takes no 'num-steps=8'; did you mean --num_steps?"),
        (["generate", "--num_steps=ten"], 2, "--num_steps: must be a whole number, not 'ten'; see ostinato generate"),
        (["generate", "--temperature=hot"], 2, "--temperature: must be a number, not 'hot'; see ostinato generate"),
        (["generate", "--rank_by=likley"], 2, "--rank_by: 'likley' is unknown; did you mean likely?"),
        (["generate", "--rank_by=best"], 2, "--rank_by: 'best' is unknown; it takes likely, varied"),
        (["generate", "--log=LOUD"], 2, "--log: 'LOUD' is unknown; it takes DEBUG, INFO, WARNING, ERROR, FATAL"),
        (
            ["generate", "--config=lookbak_rnn"],
            2,
            "no built-in model is called 'lookbak_rnn'; did you mean lookback_rnn?",
        ),
        (["generate", "--key=D dorain"], 2, "there is no key 'D dorain'; did you mean D dorian?"),
        (["generate", "--meter=3-4"], 2, "'3-4' is not a meter; did you mean 3/4?"),
        (["generate", "--hparams=batchsize=3"], 2, "no hparam is called 'batchsize'; did you mean batch_size?"),
        (["generate", "--primer=tunes/jigg.mid"], 1, "did you mean tunes/jig.mid?"),
        (["generate", "--bundle_file=mine.mg"], 1, "run_dir; did you mean mine.mag?"),
        (["inspect", "tunes/jigg.mid"], 1, "did you mean tunes/jig.mid?"),
        (["render", "tune/jig.mid", "out.wav"], 1, "did you mean tunes?"),
        (["convert", "--input_dir=tunse", "--output_file=o"], 1, "there is no such folder; did you mean tunes?"),
        (["convert", "--inputdir=tunes"], 2, "no flag is called --inputdir; did you mean --input_dir?"),
        (["convert"], 2, "ostinato convert: missing: --input_dir, --output_file; see ostinato convert --help"),
        (["learn", "tuns", "--dry_run"], 1, "there is no such file; did you mean tunes?"),
        (["learn", "tunes", "--dry_run", "--from=leider"], 1, "--from=leider: there is no such bundle, checkpoint or"),
        (["inspect", "tunes", "--meter=fiel"], 2, "--meter=fiel is unknown; did you mean file?"),
        (["bundle", "shw", "mine.mag"], 2, "'shw' is unknown; did you mean show?"),
        (["bundle", "save", "--bundle_fil=x"], 2, "no flag is called --bundle_fil; did you mean --bundle_file?"),
        (["models", "leider"], 2, "did you mean lieder?"),
        (["completion", "bsh"], 2, "'bsh' is unknown; did you mean bash?"),
    ],
)
def test_what_is_mistyped_is_one_line_with_what_was_likely_meant(
    arguments: list[str],
    code: int,
    error: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "tunes").mkdir()
    (tmp_path / "tunes" / "jig.mid").touch()
    (tmp_path / "mine.mag").touch()
    monkeypatch.chdir(tmp_path)
    returned: object
    try:
        returned = front_door.main(arguments)
    except SystemExit as ended:
        returned = ended.code
    told = capsys.readouterr()
    assert (returned, told.out) == (code, "")
    assert error in told.err
    assert told.err.count("\n") == 1


def test_tracks_that_are_taken_for_an_expression_by_a_slip_are_named(caplog: pytest.LogCaptureFixture) -> None:
    assert front_door.main(["inspect", str(PROJECT / "data/aird/midi/book5_0900.mid"), "--tracks=likelyest"]) == 0
    assert caplog.messages == ["--tracks=likelyest is taken for a regular expression; did you mean likeliest?"]


@pytest.mark.parametrize("width", [70, 80])
@pytest.mark.parametrize("command", front_door.COMMANDS)
def test_help_is_no_wider_than_the_terminal(command: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for shown in [
        front_door._overview(width),
        *(parser.format_help() for parser in front_door.parsers_of(front_door.parser_of(command))),
    ]:
        assert max(map(len, shown.splitlines())) <= width
        assert "true|false" not in shown


def test_help_without_a_terminal_is_80_wide() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    command = [sys.executable, "-m", "ostinato", "generate", "--help"]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert 76 <= max(map(len, shown.splitlines())) <= 80
    assert "\x1b" not in shown


@pytest.mark.parametrize("command", front_door.COMMANDS)
def test_help_begins_with_the_usual_flags_and_ends_with_an_example(command: str) -> None:
    parser = front_door.parser_of(command)
    shown = parser.format_help()
    assert shown.rpartition("example:\n  ")[2].split("\n", 1)[0].startswith(("ostinato " + command, "eval"))
    titles = [group.title for group in parser._action_groups if group._group_actions]
    if "usual flags" in titles:
        assert titles.index("usual flags") == ("what it takes" in titles)
    usual = [group for group in parser._action_groups if group.title == "usual flags"]
    assert all(len(group._group_actions) <= 5 for group in usual)
    assert titles[-1] == "general"
    if "flags of Magenta's scripts" in titles:
        assert titles[-2] == "flags of Magenta's scripts"


@pytest.mark.parametrize("command", front_door.COMMANDS)
def test_each_flag_stands_in_help_in_one_spelling(command: str) -> None:
    for parser in front_door.parsers_of(front_door.parser_of(command)):
        shown = parser.format_help().partition("general:")[0]
        for names in front_door.aliases_of(parser).values():
            assert not [name for name in names if name in shown]
        assert "--no" not in re.findall(r"^  (--\w+)", shown, re.MULTILINE)


def test_the_aliases_are_listed_apart() -> None:
    shown = " ".join(front_door.parser_of("convert").format_help().split())
    assert "Other names: --midi_dir for --input_dir. Flags may be written with dashes, as --num-steps." in shown
    assert "--recursive=true or =false; --no_recursive and --norecursive turn it off" in shown


@pytest.mark.parametrize("command", [command for command in front_door.COMMANDS if command != "completion"])
def test_the_example_of_help_can_be_typed(command: str) -> None:
    program, named, *arguments = shlex.split(front_door._load(command).EXAMPLE)
    assert (program, named) == ("ostinato", command)
    front_door._parse(front_door.parser_of(command), arguments)
    # What it reads is in the project, or another example or the README made it.
    made = ("notes.tfrecord", "examples", "generated", "run1")
    for argument in arguments:
        for path in argument.partition("=")[2].split(",") if "=" in argument else [argument]:
            assert "/" not in path or path.startswith(made) or (PROJECT / path).exists()


@pytest.mark.parametrize("flag", ["--quiet", "--log=ERROR", "--log=warning", "--log=WARN"])
def test_quiet_says_nothing_on_the_way(flag: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = PROJECT / "tests" / "golden" / "aird" / "corpora"
    notes = f"--output_file={tmp_path / 'notes.tfrecord'}"
    assert front_door.main(["convert", f"--input_dir={folder}", "--recursive", notes, flag]) == 0
    records = ["dataset", "--config=basic_rnn", f"--input={tmp_path / 'notes.tfrecord'}", f"--output_dir={tmp_path}"]
    assert front_door.main([*records, "--eval_ratio=0.5", flag]) == 0
    made = [
        "generate",
        "--num_outputs=2",
        "--num_steps=16",
        f"--output_dir={tmp_path}",
        f"--html={tmp_path / 'p.html'}",
    ]
    assert front_door.main([*made, flag]) == 0
    tune = next(tmp_path.glob("*.mid"))
    assert front_door.main(["render", str(tune), str(tmp_path / "tune.wav"), flag]) == 0
    assert capsys.readouterr() == ("", "")
    # What is asked for is printed all the same.
    for asked in (["models", flag], ["inspect", str(tune), flag], ["bundle", "show", str(GOLD), flag]):
        assert front_door.main(asked) == 0
        assert capsys.readouterr().out != ""


def test_log_levels_last_for_one_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    made = ["generate", "--num_outputs=1", "--num_steps=16", f"--output_dir={tmp_path}"]
    assert front_door.main([*made, "--quiet"]) == 0
    assert front_door.main(made) == 0
    assert capsys.readouterr().out.count("\n") == 2


def test_the_exit_codes_are_those_that_help_tells(tmp_path: Path) -> None:
    shown = ostinato("--help").stdout
    for code, meaning in front_door.EXIT_CODES.items():
        assert f"\n  {code} " in shown
        assert meaning.split()[0] in shown
    assert ostinato("models").returncode == 0
    assert ostinato("inspect", "none.mid").returncode == 1
    assert ostinato("inspect", "--loud").returncode == 2
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        command = [sys.executable, "-m", "ostinato", "generate", "--num_outputs=20000", f"--output_dir={tmp_path}"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as job:
            time.sleep(2)
            job.send_signal(number)
            _, error = job.communicate()
        assert job.returncode == code
        first, second = error.splitlines()
        assert first == "stopping after this step"
        assert second.startswith("stopped: ")


def test_flags_may_have_dashes() -> None:
    assert front_door._with_underscores("--num-steps=8-4") == "--num_steps=8-4"
    assert front_door._with_underscores("--eval") == "--eval"
    assert front_door._with_underscores("-h") == "-h"
    assert front_door._with_underscores("a-b") == "a-b"


def test_every_magenta_name_is_installed_and_leads_to_its_command() -> None:
    with (PROJECT / "pyproject.toml").open("rb") as file:
        scripts = set(tomllib.load(file)["project"]["scripts"]) - {"ostinato"}
    expected = {"convert_midi_dir_to_note_sequences", "convert_dir_to_note_sequences"} | {
        f"{model}_rnn_{verb}"
        for model in ("basic", "mono", "lookback", "attention", "melody")
        for verb in ("create_dataset", "train", "generate")
    }
    assert scripts == expected
    for name in scripts:
        program = (
            f"import sys; sys.argv[0] = {name!r}; from ostinato.cli.main import *; sys.exit(main_by_magenta_name())"
        )
        done = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"usage: {name}")


def test_a_full_disk_is_told_with_the_file_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("ostinato.formats.tensorflow.tfrecord.RecordWriter.write", full)
    output = tmp_path / "notes.tfrecord"
    assert front_door.main(["convert", f"--input_dir={AIRD}", f"--output_file={output}", "--num_processes=1"]) == 1
    assert capsys.readouterr().err == (
        f"ostinato convert: {output}: No space left on device; make room there, or choose another disk\n"
    )
    assert list(tmp_path.iterdir()) == []
