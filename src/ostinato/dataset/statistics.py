"""What went into a data set and what was left out, told in words a musician understands."""

from dataclasses import dataclass, field

from ostinato.music.extract import ExtractionSettings, ExtractionStatistics

_BAR_WIDTH = 40  # of the longest bar of the histogram, in characters


@dataclass(slots=True)
class DatasetStatistics:
    """Counts of a data set.

    Attributes:
        note_sequences: how many were read, those that cannot be used too.
        without_melody: how many gave no melody.
        failures: how many cannot be used at all.
        failure_reasons: the first of these, each with its place in the input and the reason.
        extraction: what the search for melodies found and left out.
        out_of_range: transpositions of melodies that leave the encoding's range.
        duplicates: melodies left out because an equal one came before.
        training_records: written.
        eval_records: written.
    """

    note_sequences: int = 0
    without_melody: int = 0
    failures: int = 0
    failure_reasons: list[str] = field(default_factory=list)
    extraction: ExtractionStatistics = field(default_factory=ExtractionStatistics)
    out_of_range: int = 0
    duplicates: int = 0
    training_records: int = 0
    eval_records: int = 0

    def left_out(self, settings: ExtractionSettings) -> list[str]:
        """What was left out and why, how often each, and the flag that changes it; nothing that did not happen."""
        found = self.extraction
        reasons = [
            (self.failures, "NoteSequences that cannot be read"),
            (
                found.polyphonic_tracks,
                "tracks left where several notes start at once (--ignore_polyphonic_notes keeps the top ones)",
            ),
            (found.too_short, f"melodies shorter than {settings.min_bars} bars (--min_bars)"),
            (
                found.too_few_pitches,
                f"melodies of fewer than {settings.min_unique_pitches} different pitch classes (--min_unique_pitches)",
            ),
            (found.drum_tracks, "tracks of drums"),
            (found.pieces_without_grid, "stretches in a meter whose bar is no whole number of 16th notes"),
            (self.duplicates, "melodies that equal an earlier one up to transposition (--dedupe)"),
            (self.out_of_range, "transpositions that leave the model's range of pitches (--transpose)"),
        ]
        return [f"{count} {reason}" for count, reason in reasons if count]

    def histogram(self, min_bars: int) -> list[str]:
        """Lines that show how many melodies there were of each length in bars, those that are too short too."""
        counts = self.extraction.bars
        if not counts:
            return []
        longest = max(counts)
        limits = sorted({0, min_bars, *(2**power for power in range(longest.bit_length()))})
        lines = []
        rows: list[tuple[int, int, int]] = []
        for first, following in zip(limits, [*limits[1:], longest + 1], strict=True):
            last = max(first, following - 1)
            if first <= longest:
                rows.append((first, last, sum(counts[bars] for bars in range(first, last + 1))))
        most = max(count for *_, count in rows)
        width = len(f"{longest}")
        for first, last, count in rows:
            bars = f"{first:>{width}}" + (f" - {last:>{width}}" if last > first else " " * (width + 3))
            dropped = "  too short" if first < min_bars and count else ""
            lines.append(f"{bars}  {count:>7}  {'#' * -(-_BAR_WIDTH * count // most)}{dropped}")
        return lines
