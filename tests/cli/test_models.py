import json
import subprocess
import sys

from ostinato.shipped import BEST_MODEL, SHIPPED_MODELS, shipped_path


def models(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ostinato", "models", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_model_is_listed_with_its_held_out_figures() -> None:
    done = models()
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[1 : 1 + len(SHIPPED_MODELS)]] == list(SHIPPED_MODELS)
    assert lines[0].split() == ["model", "plays", "layers", "numbers", "validation", "test"]
    assert max(map(len, lines)) <= 80
    assert "German songs" in done.stdout


def test_a_name_shows_the_whole_card() -> None:
    done = models(BEST_MODEL)
    assert (done.returncode, done.stderr) == (0, "")
    for word in ("four tune books", "variants", "Jack Campin", "Apache-2.0", "bits_per_step"):
        assert word in done.stdout


def test_cards_as_json() -> None:
    cards = json.loads(models("--json").stdout)
    assert list(cards) == list(SHIPPED_MODELS)
    assert all(0.5 < card["held_out"]["validation"]["bits_per_step"] < 3 for card in cards.values())
    assert models("--json", BEST_MODEL).returncode == 2


def test_a_name_that_is_none() -> None:
    done = models("drums")
    assert done.returncode == 2
    assert done.stderr.startswith("ostinato models: no built-in model is called 'drums'; there are ostinato, ")
    assert shipped_path().name == "ostinato.mag"
