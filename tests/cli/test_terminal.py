"""What is shown on a terminal, and what is not shown elsewhere."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from ostinato.cli.terminal import cut, figures_table, sparkline, text_table, wrapped

PROJECT = Path(__file__).parent.parent.parent


def screen(command: list[str], folder: Path, columns: int = 70) -> list[str]:
    """The lines that a terminal of this width holds after a command has run in it."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    with subprocess.Popen(
        command, stdin=its, stdout=its, stderr=its, cwd=folder, env=environment, start_new_session=True
    ) as job:
        os.close(its)
        written = b""
        try:
            while chunk := os.read(ours, 65536):
                written += chunk
        except OSError:  # all has been read
            pass
        assert job.wait() == 0, written.decode()
    os.close(ours)
    return shown(written.decode(), columns)


def shown(written: str, columns: int) -> list[str]:
    """What stands there in the end, with \\r and \\n alone as they move the cursor; wider lines are broken."""
    assert "\x1b" not in written
    lines = []
    for line in written.split("\n"):
        cells: list[str] = []
        for part in line.split("\r"):
            cells[: len(part)] = part
        text = "".join(cells).rstrip()
        lines += [text[start : start + columns] for start in range(0, max(len(text), 1), columns)]
    return [line for line in lines if line]


def test_a_log_line_never_lands_on_a_bar(tmp_path: Path) -> None:
    program = """
import logging, time
from ostinato.cli.terminal import progress, say, told_at
with told_at("INFO"):
    with progress("melodies", 30) as done:
        for number in range(30):
            time.sleep(0.02)
            done(1)
            if number == 9:
                logging.getLogger("ostinato.music").warning("a remark")
            if number == 19:
                say("said on the way")
    say("at the end")
"""
    lines = screen([sys.executable, "-c", program], tmp_path)
    assert lines[:2] == ["a remark", "said on the way"]
    assert lines[2].startswith("100%|")
    assert "| 30/30 [" in lines[2]
    assert lines[3:] == ["at the end"]


def test_bars_count_files_and_notesequences_to_the_last(tmp_path: Path) -> None:
    ostinato = [sys.executable, "-m", "ostinato"]
    notes = tmp_path / "notes.tfrecord"
    folder = PROJECT / "data" / "aird" / "midi"
    converted = screen([*ostinato, "convert", f"--input_dir={folder}", f"--output_file={notes}"], tmp_path)
    bars = [line for line in converted if "%|" in line]
    # What takes no longer than a blink shows none.
    assert all(line.startswith("100%|") and "| 300/300 [" in line and "files" in line for line in bars)
    assert len(bars) <= 1
    assert converted[len(bars) :][0].startswith("Wrote 300 NoteSequences to ")
    records = [*ostinato, "dataset", "--config=basic_rnn", f"--input={notes}", "--output_dir=records"]
    bar, *told = screen(records, tmp_path)
    assert bar.startswith("100%|")
    assert "| 300/300 [" in bar
    assert "NoteSequences/s" in bar
    assert " in 300 NoteSequences, " in told[0]
    # Neither a bar nor anything else where it is not wanted.
    assert screen([*records, "--quiet"], tmp_path) == []


def test_the_line_of_a_melody_fits_the_terminal(tmp_path: Path) -> None:
    made = [sys.executable, "-m", "ostinato", "generate", "--num_outputs=2", "--seed=1"]
    # On a slow machine there may be a bar before them.
    first, second, summary, *_ = (line for line in screen(made, tmp_path) if "%|" not in line)
    assert [len(line) for line in (first, second)] == [70, 70]
    assert first.endswith("…")
    assert summary.startswith("2 melodies of the built-in model ostinato in generated; ")
    done = subprocess.run(made, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "…" not in done.stdout
    assert len(done.stdout.splitlines()[0]) > 200


def test_in_a_pipe_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "10")
    assert cut("x" * 20) == "x" * 20
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert cut("x" * 20) == "x" * 9 + "…"
    assert cut("x" * 10) == "x" * 10


def test_a_table_too_wide_goes_on_below() -> None:
    rows = [["model", "bits", "right"], ["mono", "1.5", "60 %"]]
    assert figures_table(rows, None) == figures_table(rows, 18) == "model  bits  right\nmono    1.5   60 %"
    assert figures_table(rows, 17) == "model  bits\nmono    1.5\n\nmodel  right\nmono    60 %"
    assert figures_table(rows, 12) == figures_table(rows, 17)


def test_a_sparkline_goes_from_the_lowest_block_to_the_highest() -> None:
    assert sparkline([8, 1, 4.5]) == "█▁▅"
    assert sparkline([3]) == "▁"
    assert sparkline([2, 2]) == "▁▁"
    assert sparkline([7, 6, 5, 4, 3, 2, 1, 0], width=4) == "█▆▃▁"  # 6, 4, 2, 0


def test_columns_stand_under_each_other() -> None:
    assert text_table([["a", "bits"], ["model", "1"]]) == "a      bits\nmodel     1"


def test_words_stand_to_the_left_and_figures_to_the_right() -> None:
    assert text_table([["a", "b", "1"], ["aa", "bb", "22"]], words=2) == "a   b    1\naa  bb  22"


def test_words_are_cut_to_the_width_the_last_column_first() -> None:
    rows = [["a long first one", "a long second one", "12"]]
    assert text_table(rows, words=2, width=36) == "a long first one  a long second…  12"
    # No column of words gets below 8 characters; then the lines are cut.
    assert text_table(rows, words=2, width=22) == "a long …  a long …  12"
    assert text_table(rows, words=2, width=20) == "a long …  a long … …"


def test_text_goes_on_a_little_further_in() -> None:
    assert wrapped("one two three four", indent="  ", width=12) == "  one two\n    three\n    four"
