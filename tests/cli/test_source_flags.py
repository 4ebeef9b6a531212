import argparse

from ostinato.cli.source_flags import add_extraction, extraction_of
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
        min_bars=3, max_steps=99, min_unique_pitches=2, gap_bars=1.5, ignore_polyphonic_notes=True
    )
