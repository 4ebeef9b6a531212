"""Which model the flags name."""

import argparse
import typing
from pathlib import Path

import pytest

import golden_files
from ostinato.cli.flags import (
    ACCOMPANIMENTS,
    add_boolean,
    add_extraction,
    add_model,
    chosen_model,
    chosen_models,
    extraction_of,
    listed,
    model_paths,
)
from ostinato.errors import SettingsError
from ostinato.music.chords import Accompaniment
from ostinato.music.extract import ExtractionSettings
from ostinato.shipped import BEST_MODEL, shipped_path


def test_the_accompaniments_are_those_that_can_be_played() -> None:
    assert typing.get_args(Accompaniment) == ACCOMPANIMENTS


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ([], None),
        (["--eval"], True),
        (["--noeval"], False),
        (["--no_eval"], False),
        (["--eval=true"], True),
        (["--eval=False"], False),
        (["--eval=0"], False),
        (["--eval", "--noeval"], False),
    ],
)
def test_a_boolean_is_written_as_magentas_users_do(given: list[str], value: bool | None) -> None:
    parser = argparse.ArgumentParser()
    add_boolean(parser, "--eval", default=None, help="evaluate")
    assert parser.parse_args(given).eval is value


@pytest.mark.parametrize("given", ["--eval=maybe", "--noeval=true"])
def test_other_words_are_refused(given: str) -> None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_boolean(parser, "--eval", default=False, help="evaluate")
    with pytest.raises(SystemExit):
        parser.parse_args([given])


def extraction(*flags: str) -> ExtractionSettings:
    parser = argparse.ArgumentParser()
    add_extraction(parser)
    return extraction_of(parser.parse_args(flags))


def test_without_flags_it_is_magentas() -> None:
    assert extraction() == ExtractionSettings()


def test_each_flag_says_its_own() -> None:
    flags = ("--min_bars=3", "--max_steps=99", "--min_unique_pitches=2", "--gap_bars=1.5", "--ignore_polyphonic_notes")
    assert extraction(*flags) == ExtractionSettings(
        min_bars=3, max_steps=99, min_unique_pitches=2, gap_bars=1.5, ignore_polyphonic_notes=True, polyphony="top"
    )


def as_played(*flags: str) -> ExtractionSettings:
    parser = argparse.ArgumentParser()
    add_extraction(parser, as_played=True)
    return extraction_of(parser.parse_args(flags))


def test_as_played_mends_the_meter_and_takes_the_top_line_of_the_likeliest_track() -> None:
    assert as_played() == ExtractionSettings(polyphony="line", tracks="likeliest", meter="auto")
    assert as_played("--ignore_polyphonic_notes").keeps == "top"
    magentas = as_played("--polyphony=leave", "--tracks=all", "--meter=file")
    assert magentas == ExtractionSettings()


@pytest.mark.parametrize(
    ("flag", "tracks"), [("0,12", (0, 12)), ("3", (3,)), ("vocal|lead", "vocal|lead"), ("all", None)]
)
def test_tracks_are_numbers_or_an_expression(flag: str, tracks: tuple[int, ...] | str | None) -> None:
    assert extraction(f"--tracks={flag}").tracks == tracks


def test_flags_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(SettingsError, match="--ignore_polyphonic_notes is --polyphony=top; leave it or"):
        extraction("--ignore_polyphonic_notes", "--polyphony=line")
    with pytest.raises(SettingsError, match="max_offgrid must be a share from 0 to 1"):
        extraction("--max_offgrid=20")
    with pytest.raises(SettingsError, match="'four' is not a meter"):
        extraction("--meter=four")


LOOKBACK = golden_files.SMALL.parent / "gold_lookback.mag"
ATTENTION = golden_files.SMALL.parent / "gold_attention.mag"


def model_flags(*flags: str, several: bool = False) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_model(parser, several=several)
    return parser.parse_args(flags)


def test_without_a_flag_the_best_built_in_model() -> None:
    chosen = chosen_model(model_flags())
    assert (chosen.name, chosen.path) == (f"the built-in model {BEST_MODEL}", shipped_path(BEST_MODEL))
    assert chosen.bundle.config.name == BEST_MODEL


def test_one_of_each_source() -> None:
    assert chosen_model(model_flags("--config=lookback_rnn")).name == "the built-in model lookback_rnn"
    for flag in ("bundle_file", "checkpoint_file", "run_dir"):
        chosen = chosen_model(model_flags(f"--{flag}={LOOKBACK}"))
        assert (chosen.name, chosen.path) == ("lookback_rnn", LOOKBACK)


def test_several_where_one_is_wanted_are_refused() -> None:
    with pytest.raises(SettingsError, match="give one of --bundle_file, --checkpoint_file and --run_dir; there are 2"):
        chosen_model(model_flags(f"--bundle_file={LOOKBACK}", "--run_dir=run"))
    # Where a flag names what is written, it names no model.
    args = model_flags(f"--bundle_file={LOOKBACK}", f"--checkpoint_file={ATTENTION}")
    assert chosen_model(args, among=("run_dir", "checkpoint_file")).path == ATTENTION


def test_hparams_that_the_model_does_not_have_are_refused() -> None:
    args = model_flags()
    args.hparams = "batch_size=3"
    with pytest.raises(SettingsError, match=r"--hparams: batch_size=3, but .* was trained with"):
        chosen_model(args)


def test_several_models_are_told_apart(tmp_path: Path) -> None:
    namesake = tmp_path / "gold_lookback.mag"
    namesake.write_bytes(LOOKBACK.read_bytes())
    args = model_flags(
        f"--bundle_file={LOOKBACK},{namesake}, {ATTENTION},{LOOKBACK}", "--config=mono_rnn", several=True
    )
    assert [chosen.name for chosen in chosen_models(args)] == [
        *("mono_rnn", str(LOOKBACK), str(namesake), "gold_attention")
    ]
    assert model_paths(args) == [LOOKBACK, namesake, ATTENTION]
    assert chosen_models(model_flags(several=True)) == []
    assert listed(" a ,b,,a") == ["a", "b"]
    assert listed(None) == []
