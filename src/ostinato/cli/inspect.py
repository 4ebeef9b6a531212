"""`ostinato inspect`: what is in music files, and which melodies would be taken of them."""

import argparse
from typing import TYPE_CHECKING

from ostinato.cli.flags import USUAL, add_extraction, add_report, extraction_of, write_report
from ostinato.cli.terminal import progress_of_files, terminal_width, text_table, wrapped
from ostinato.errors import printable
from ostinato.music.extract import LIKELIEST

if TYPE_CHECKING:
    from ostinato.dataset.inspection import InspectedFile, InspectedTrack, InspectedTune, Inspection
    from ostinato.dataset.melodies import SourceMelody
    from ostinato.music.extract import ExtractionSettings
    from ostinato.music.quantize import OffGrid

_OTHER_COLUMNS = 64  # characters that the table of a folder takes for all but the path
_MOST_TUNES = 3  # of one file that are shown track by track; of more it is a line each


EXAMPLE = "ostinato inspect data/aird/midi/book5_0900.mid"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    parser.add_argument("sources", nargs="+", metavar="FILE|FOLDER", help="MIDI, MusicXML or ABC files, or a folder")
    add_report(parser.add_argument_group(USUAL))
    add_extraction(parser, as_played=True)


def run(args: argparse.Namespace) -> int:
    """Look, and show what there is."""
    from ostinato.dataset.inspection import inspect_music

    settings = extraction_of(args)
    inspections = []
    for source in args.sources:
        with progress_of_files() as show:
            inspections.append(inspect_music(source, settings, progress=show))
    width = terminal_width()
    for number, inspection in enumerate(inspections):
        if number:
            print()
        if len(inspection.files) == 1 and len(inspection.files[0].tunes) <= _MOST_TUNES:
            print(_of_file(inspection.files[0], settings, width))
        else:
            print(_of_folder(inspection, width))
        print(_summary(inspection, width))
    write_report(args.json, *[inspection.to_json() for inspection in inspections])
    return 0


def _of_file(file: "InspectedFile", settings: "ExtractionSettings", width: int) -> str:
    """Each of a file's tunes, track by track."""
    name = printable(file.name)
    unread = "" if file.tunes else "cannot be read: "
    lines = [wrapped(f"{name}: {unread}{printable(failure)}", width=width) for failure in file.failures]
    lines += [wrapped(f"{name}: {printable(str(remark))}", width=width) for remark in file.remarks]
    for tune in file.tunes:
        title = name if len(file.tunes) == 1 else f"{name}, tune {tune.number}"
        lines += [wrapped(f"{title}: {_facts(tune)}", width=width)]
        lines += [wrapped(change, indent="  ", width=width) for change in tune.changes]
        if tune.tracks:
            lines += ["", _track_table(tune, width), ""]
        lines += [wrapped(line, indent="  ", width=width) for line in _taken(tune)]
        lines += [wrapped(line, indent="  ", width=width) for line in _not_taken(tune, settings)]
    return "\n".join(lines)


def _facts(tune: "InspectedTune") -> str:
    """Meter, tempo, length and key of a tune."""
    from ostinato.dataset.report import counted

    if not tune.tracks:
        return "there are no notes in it"
    minutes, seconds = divmod(round(tune.seconds), 60)
    facts = [
        counted(len(tune.tracks), "track"),
        f"{minutes}:{seconds:02}",
        _meter(tune),
        f"{_tempo(tune)} quarters a minute",
    ]
    if tune.key:
        facts.append(f"most notes fit {tune.key}")
    return ", ".join(facts)


def _meter(tune: "InspectedTune") -> str:
    return " ".join(tune.meters[:3]) + (" …" if len(tune.meters) > 3 else "")


def _tempo(tune: "InspectedTune") -> str:
    low, high = (f"{tempo:.0f}" for tempo in tune.tempos)
    return low if low == high else f"{low}-{high}"


def _track_table(tune: "InspectedTune", width: int) -> str:
    from ostinato.music.melody import pitch_name

    rows = [["track", "name", "instrument", "notes", "range", "one voice", "off grid", "melody"]]
    for track in tune.tracks:
        found = track.evidence
        rows.append(
            [
                str(found.track),
                printable(found.name),
                track.instrument,
                f"{found.num_notes:,}",
                "" if found.is_drum else f"{pitch_name(found.lowest)}..{pitch_name(found.highest)}",
                "" if found.is_drum else f"{found.one_at_a_time:.0%}",
                f"{track.rhythm.share:.0%}",
                "" if found.is_drum else f"{track.likelihood:.0%}",
            ]
        )
    table = text_table(rows, words=3, width=width - 2)
    return "\n".join(f"  {line}" for line in table.splitlines())


def _taken(tune: "InspectedTune") -> list[str]:
    """Which melodies would be taken, and why of this track."""
    lines = []
    for track in tune.tracks:
        if track.melodies:
            bars = ", ".join(map(_bars, track.melodies))
            lines.append(f"Taken: track {_named(track)}, bars {bars}; {track.evidence.reason}{_rhythm(track.rhythm)}")
    return lines or ["Taken: nothing"]


def _bars(found: "SourceMelody") -> str:
    return f"{found.first_bar}-{found.last_bar}"


def _rhythm(rhythm: "OffGrid") -> str:
    """What stands between the 16ths, if it is worth saying."""
    kinds = [(rhythm.triplets, "triplets"), (rhythm.swing, "swing"), (rhythm.other, "other")]
    told = ", ".join(f"{name} {count / rhythm.notes:.0%}" for count, name in kinds if count)
    return f"; {rhythm.share:.0%} of its notes are off the grid of 16ths ({told})" if told else ""


def _not_taken(tune: "InspectedTune", settings: "ExtractionSettings") -> list[str]:
    """Why not all of the tracks would be taken, and the flag that would change that."""
    others = [track for track in tune.tracks if track.is_other]
    lines = [
        f"Track {_named(track)}: {reason.text()}"
        for track in tune.tracks
        if not track.is_other
        for reason in track.left_out
    ]
    if others:
        why = "less likely the melody" if settings.tracks == LIKELIEST else "not asked for"
        lines.append(f"Not looked in, as {why} (--tracks=all looks in all): {', '.join(map(_named, others))}")
    if tune.extraction.pieces_without_grid:
        lines.append("A part is in a meter whose bar is not a whole number of 16th notes (--meter)")
    return lines


def _named(track: "InspectedTrack") -> str:
    return (
        f"{track.evidence.track} ({printable(track.evidence.name)})"
        if track.evidence.name
        else str(track.evidence.track)
    )


def _of_folder(inspection: "Inspection", width: int) -> str:
    """A line for each tune."""
    rows = [["file", "melody", "tracks", "meter", "tempo", "key", "off grid", "taken", "bars"]]
    room = max(width - _OTHER_COLUMNS, 16)
    for file in inspection.files:
        for tune in file.tunes:
            number = f", tune {tune.number}" if len(file.tunes) > 1 else ""
            rows.append([_end_of(printable(file.name), room - len(number)) + number, *_cells(tune)])
        if not file.tunes:
            rows.append([_end_of(printable(file.name), room), "cannot be read", *[""] * 7])
    return text_table(rows, words=2, width=width)


def _end_of(name: str, width: int) -> str:
    """The end of a path, which tells files of one folder apart."""
    return name if len(name) <= width else "…" + name[1 - width :]


def _cells(tune: "InspectedTune") -> list[str]:
    from ostinato.music.quantize import total_off_grid

    if not tune.tracks:
        return ["no notes", *[""] * 7]
    melodies = tune.melodies
    names = [printable(track.evidence.name) or track.instrument for track in tune.tracks if track.melodies]
    rhythm = total_off_grid(found.rhythm for found in melodies)
    return [
        ", ".join(names) or "-",
        str(len(tune.tracks)),
        next(iter(tune.meters), "-") + (f" +{len(tune.meters) - 1}" if len(tune.meters) > 1 else ""),
        _tempo(tune),
        tune.key.partition(" or ")[0].replace(" major", "") or "-",
        f"{rhythm.share:.0%}" if melodies else "",
        str(len(melodies)),
        str(sum(found.last_bar - found.first_bar + 1 for found in melodies)),
    ]


def _summary(inspection: "Inspection", width: int) -> str:
    """What was read, what was found, and what was left out."""
    from ostinato.dataset.report import counted

    report = inspection.report
    found = counted(len(report.melodies), "melody", "melodies")
    lines = [
        f"\nRead {report.read:,} of {counted(report.files, 'music file')}: {counted(report.tunes, 'tune')}, "
        f"{counted(report.tracks, 'track')}, {found} to learn from{_rhythm(report.rhythm)}"
    ]
    if left_out := report.left_out():
        lines += ["Left out or changed:", *(wrapped(line, indent="  ", width=width) for line in left_out)]
    if len(inspection.files) > 1:
        lines += [
            wrapped(
                f"{printable(one.filename)}: {'' if one.is_tune else 'cannot be read: '}{printable(one.reason)}",
                indent="  ",
                width=width,
            )
            for one in report.skipped
        ]
        lines += [
            wrapped(f"{printable(one.filename)}: {printable(one.text)}", indent="  ", width=width)
            for one in report.remarks
        ]
    lines[0] = "\n" + wrapped(lines[0].strip(), width=width)
    return "\n".join(lines)
