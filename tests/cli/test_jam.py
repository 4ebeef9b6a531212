"""`ostinato jam`, as a user meets it, with ports in memory."""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import mido  # type: ignore[import-untyped]
import pytest

import golden_files
import memory_ports
from ostinato.cli import jam
from ostinato.cli.main import main
from ostinato.live.voices import note_off, note_on, program_change
from simulated_session import panic_of, sounding

BUNDLE = golden_files.SMALL.parent / "gold_attention.mag"
PLAY = ("jam", f"--bundle_file={BUNDLE}", "--output_port=synth a")
# At 400 quarters a minute a bar is 0.6 s.
QUICK = ("--qpm=400", "--call_bars=1", "--num_rounds=1", "--no-metronome")
CALL = [(0.0, note_on(0, 60, 80)), (0.15, note_off(0, 60)), (0.3, note_on(0, 64, 80)), (0.45, note_off(0, 64))]


@pytest.fixture(autouse=True)
def _memory() -> Iterator[None]:
    before = mido.backend
    mido.set_backend("memory_ports")
    memory_ports.script[:] = []
    memory_ports.sent[:] = []
    yield
    mido.set_backend(before)


def test_ports_are_listed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["jam", "--list_ports"]) == 0
    assert capsys.readouterr().out == (
        "input ports:\n  Midi Through Port-0\n  Keystation 49\n"
        "output ports:\n  Midi Through Port-0\n  Synth A\n  Synth B\n"
    )
    monkeypatch.setattr(memory_ports, "INPUTS", [])
    assert main(["jam", "--list_ports"]) == 0
    assert "input ports:\n  none; --input_port=virtual makes one\n" in capsys.readouterr().out


def round_as_played(capsys: pytest.CaptureFixture[str], *flags: str) -> list[str]:
    """What is printed of a round whose call was heard as it was played.

    A 16th is 38 ms long, and a machine with other work may look at its port later than that: then once more.
    """
    for _ in range(10):
        memory_ports.script[:] = CALL
        memory_ports.sent[:] = []
        assert main([*PLAY, *QUICK, *flags]) == 0
        lines = capsys.readouterr().out.splitlines()
        if lines[1] == "call     | C4:4 r:4 E4:4 r:4 |":
            break
    return lines


def test_a_round(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ("--seed=5", "--program=3", "--channel=2", "--temperature=0.5")
    first, call, response, last = round_as_played(capsys, *flags)
    assert first == (
        "attention_rnn hears Keystation 49 and plays on Synth A, 4/4 at 400 quarters a minute; play! Ctrl-C ends"
    )
    assert call == "call     | C4:4 r:4 E4:4 r:4 |"
    assert response.startswith("response | ")
    assert last == "the same responses to the same calls with --seed=5"
    assert memory_ports.sent[0] == program_change(1, 3)
    assert memory_ports.sent[-3:] == panic_of(1)
    assert sounding(memory_ports.sent) == set()


def test_a_seed_plays_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    responses = [round_as_played(capsys, f"--seed={seed}")[2] for seed in (1, 1, 2)]
    assert responses[0] == responses[1] != responses[2]


@pytest.mark.parametrize("port", ["keystation", "through"])
def test_it_follows_a_clock(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One of the input port itself, and one of another."""
    # 400 quarters a minute again; both ports bring all of this.
    clock = [(0.0, b"\xfa"), *((number / 160, b"\xf8") for number in range(1, 800))]
    for _ in range(10):
        memory_ports.script[:] = sorted([*clock, *((seconds + 0.01, message) for seconds, message in CALL)])
        memory_ports.sent[:] = []
        assert main([*PLAY, "--call_bars=1", "--num_rounds=1", f"--clock={port}", "--input_port=keystation"]) == 0
        lines = capsys.readouterr().out.splitlines()
        if lines[1] == "call     | C4:4 r:4 E4:4 r:4 |":
            break
    name = {"keystation": "Keystation 49", "through": "Midi Through Port-0"}[port]
    assert lines[0] == (
        f"attention_rnn hears Keystation 49 and plays on Synth A, 4/4 by the clock of {name}; start that, and play! "
        "Ctrl-C ends"
    )
    assert lines[1] == "call     | C4:4 r:4 E4:4 r:4 |"
    assert lines[2].startswith("response | ")
    assert sounding(memory_ports.sent) == set()


def test_without_a_model_the_best_one_plays(capsys: pytest.CaptureFixture[str]) -> None:
    memory_ports.script[:] = CALL
    assert main(["jam", "--output_port=synth a", *QUICK]) == 0
    assert "response | " in capsys.readouterr().out


def test_a_port_that_goes_away_ends_the_session_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    memory_ports.script[:] = [(0.0, note_on(0, 60, 80)), (0.02, b"")]
    assert main([*PLAY, "--passthrough", "--no-metronome"]) == 1
    assert capsys.readouterr().err == "ostinato jam: the input port Keystation 49 is gone: unplugged\n"
    assert memory_ports.sent == [note_on(0, 60, 80), note_off(0, 60), *panic_of(0)]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--call_bars=two"], "--call_bars must be auto or a number of bars, not 'two'"),
        (["--call_bars=0"], "call_bars must be 1 to 16, not 0"),
        (["--channel=17"], "--channel must be 1 to 16, not 17"),
        (["--metronome_channel=0"], "--metronome_channel must be 1 to 16, not 0"),
        (["--meter=33/1"], "the meter 33/1 has bars of 528 16ths; choose one with at most 512"),
        (["--meter=4/5"], "there is no meter 4/5"),
        (["--seed=-1"], "--seed must be 0 or more, not -1"),
        (
            ["--clock=roland"],
            "--clock=roland: no input ports have that in their names; choose one of Midi Through Port-0, Keystation 49",
        ),
        (["--run_dir=x"], "give one of --bundle_file, --checkpoint_file and --run_dir; there are 2"),
        (
            ["--output_port=moog"],
            "--output_port=moog: no output ports have that in their names; choose one of Midi Through",
        ),
    ],
)
def test_flags_that_cannot_be(flags: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*PLAY, *flags]) == 2
    assert capsys.readouterr().err.startswith(f"ostinato jam: {message}")


def test_the_guide_tells_every_flag() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    jam.add_arguments(parser)
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "jam.md").read_text(encoding="utf-8")
    for action in parser._actions:
        assert f"`{action.option_strings[0]}" in guide, f"docs/guides/jam.md does not tell {action.option_strings[0]}"


def test_without_the_extra_the_command_that_installs_it_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    mido.set_backend("no_such_backend")
    assert main([*PLAY]) == 1
    assert capsys.readouterr().err == (
        "ostinato jam: playing over MIDI ports needs an extra that is not installed: "
        f"{sys.executable} -m pip install mido python-rtmidi\n"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without telling it")
@pytest.mark.parametrize(("name", "exit_code"), [("SIGINT", 0), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_session_is_ended_by_signals(name: str, exit_code: int, tmp_path: Path) -> None:
    script, sent = tmp_path / "script", tmp_path / "sent"
    script.write_text("0.0 903c50\n0.0 903e50\n")
    program = subprocess.Popen(
        [sys.executable, "-m", "ostinato", *PLAY, "--passthrough", "--qpm=20"],
        env={
            **os.environ,
            "MIDO_BACKEND": "memory_ports",
            "MEMORY_SCRIPT": str(script),
            "MEMORY_SENT": str(sent),
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent.parent), *sys.path]),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until = time.monotonic() + 30
        while not (sent.exists() and "90 3E 50" in sent.read_text()):
            assert time.monotonic() < until
            assert program.poll() is None
            time.sleep(0.01)
        program.send_signal(signal.Signals[name])
        out, err = program.communicate(timeout=30)
    finally:
        program.kill()
        program.wait()
    assert err == ""
    assert program.returncode == exit_code
    assert "the same responses" in out
    messages = [bytes.fromhex(line) for line in sent.read_text().splitlines()]
    assert sounding(messages) == set()
    assert messages[-6:] == [*panic_of(0), *panic_of(9)]
