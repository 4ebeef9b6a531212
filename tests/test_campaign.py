"""The short form of the campaign, which `benchmarks/campaign.py` does for as long as you like."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

CAMPAIGN = Path(__file__).parent.parent / "benchmarks" / "campaign.py"


def campaign(*flags: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(CAMPAIGN), "--faults=faults", *flags]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


@pytest.mark.slow
def test_nothing_goes_wrong_in_a_short_campaign(tmp_path: Path) -> None:
    done = campaign("--short", "--minutes=0.3", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    (total,) = re.findall(r"^\| all \| ([\d,]+) \| .* \| 0 \|$", done.stdout, re.MULTILINE)
    assert int(total.replace(",", "")) > 1000
    assert not (tmp_path / "faults").exists()


def test_a_fault_is_told_with_its_seed_and_its_input_is_kept(tmp_path: Path) -> None:
    """The reader of hparams is given another's bytes, which it cannot take."""
    program = (
        f"import sys; sys.path[:0] = [{str(CAMPAIGN.parent)!r}]; "
        "import campaign, campaign_readers as readers, dataclasses; "
        "readers.READERS['hparams'] = dataclasses.replace(readers.READERS['hparams'], damaged=lambda *_: b'\\xff'); "
        "sys.exit(campaign.main())"
    )
    flags = ["--only=hparams", "--number=3", "--seed=5", "--faults=faults"]
    done = subprocess.run([sys.executable, "-c", program, *flags], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert '--only="hparams" --number=3 --seed=5: UnicodeDecodeError' in done.stdout
    assert "| hparams | 1 | 0 | 0 | 1 |" in done.stdout
    assert [path.read_bytes() for path in tmp_path.rglob("input")] == [b"\xff"]


def test_a_kind_that_is_none_is_refused(tmp_path: Path) -> None:
    done = campaign("--only=opera", folder=tmp_path)
    assert done.returncode == 2
    assert "--only=opera is none of MIDI, " in done.stderr
