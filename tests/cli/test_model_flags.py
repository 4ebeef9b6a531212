"""Which model the flags name."""

import argparse
from pathlib import Path

import pytest

import golden_files
from ostinato.cli.model_flags import add_model, chosen_model, chosen_models, listed, model_paths
from ostinato.errors import SettingsError
from ostinato.shipped import BEST_MODEL, shipped_path

LOOKBACK = golden_files.SMALL.parent / "gold_lookback.mag"
ATTENTION = golden_files.SMALL.parent / "gold_attention.mag"


def parsed(*flags: str, several: bool = False) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_model(parser, "play", several=several)
    return parser.parse_args(flags)


def test_without_a_flag_the_best_built_in_model() -> None:
    chosen = chosen_model(parsed())
    assert (chosen.name, chosen.path) == (f"the built-in model {BEST_MODEL}", shipped_path(BEST_MODEL))
    assert chosen.bundle.config.name == BEST_MODEL


def test_one_of_each_source() -> None:
    assert chosen_model(parsed("--config=lookback_rnn")).name == "the built-in model lookback_rnn"
    for flag in ("bundle_file", "checkpoint_file", "run_dir"):
        chosen = chosen_model(parsed(f"--{flag}={LOOKBACK}"))
        assert (chosen.name, chosen.path) == ("lookback_rnn", LOOKBACK)


def test_several_where_one_is_wanted_are_refused() -> None:
    with pytest.raises(SettingsError, match="give one of --bundle_file, --checkpoint_file and --run_dir; there are 2"):
        chosen_model(parsed(f"--bundle_file={LOOKBACK}", "--run_dir=run"))
    # Where a flag names what is written, it names no model.
    args = parsed(f"--bundle_file={LOOKBACK}", f"--checkpoint_file={ATTENTION}")
    assert chosen_model(args, among=("run_dir", "checkpoint_file")).path == ATTENTION


def test_hparams_that_the_model_does_not_have_are_refused() -> None:
    args = parsed()
    args.hparams = "batch_size=3"
    with pytest.raises(SettingsError, match=r"--hparams: batch_size=3, but .* was trained with"):
        chosen_model(args)


def test_several_models_are_told_apart(tmp_path: Path) -> None:
    namesake = tmp_path / "gold_lookback.mag"
    namesake.write_bytes(LOOKBACK.read_bytes())
    args = parsed(f"--bundle_file={LOOKBACK},{namesake}, {ATTENTION},{LOOKBACK}", "--config=mono_rnn", several=True)
    assert [chosen.name for chosen in chosen_models(args)] == [
        *("mono_rnn", str(LOOKBACK), str(namesake), "gold_attention")
    ]
    assert model_paths(args) == [LOOKBACK, namesake, ATTENTION]
    assert chosen_models(parsed(several=True)) == []
    assert listed(" a ,b,,a") == ["a", "b"]
    assert listed(None) == []
