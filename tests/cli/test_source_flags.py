import argparse

import pytest

from ostinato.cli.source_flags import add_extraction, extraction_of
from ostinato.errors import SettingsError
from ostinato.music.extract import ExtractionSettings


def parsed(*flags: str) -> ExtractionSettings:
    parser = argparse.ArgumentParser()
    add_extraction(parser)
    return extraction_of(parser.parse_args(flags))


def test_without_flags_it_is_magentas() -> None:
    assert parsed() == ExtractionSettings()


def test_each_flag_says_its_own() -> None:
    flags = ("--min_bars=3", "--max_steps=99", "--min_unique_pitches=2", "--gap_bars=1.5", "--ignore_polyphonic_notes")
    assert parsed(*flags) == ExtractionSettings(
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
    assert parsed(f"--tracks={flag}").tracks == tracks


def test_flags_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(SettingsError, match="--ignore_polyphonic_notes is --polyphony=top; leave it or"):
        parsed("--ignore_polyphonic_notes", "--polyphony=line")
    with pytest.raises(SettingsError, match="max_offgrid must be a share from 0 to 1"):
        parsed("--max_offgrid=20")
    with pytest.raises(SettingsError, match="the meter 'four' is none"):
        parsed("--meter=four")
