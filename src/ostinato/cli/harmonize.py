"""`ostinato harmonize`: find chords for a melody."""

import argparse
from dataclasses import replace
from pathlib import Path

from ostinato.cli.flags import ACCOMPANIMENTS, USUAL
from ostinato.cli.terminal import say
from ostinato.errors import SettingsError

EXAMPLE = "ostinato harmonize data/aird/midi/book5_0900.mid --alternatives=3"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    parser.add_argument("source", metavar="FILE", help="a MIDI, MusicXML or ABC file with a melody")
    usual = parser.add_argument_group(USUAL)
    usual.add_argument(
        "--output",
        default="",
        metavar="FILE",
        help="write the melody with its chords, as the ending says: .mid, .abc, .musicxml or .wav; several ways get "
        "numbers",
    )
    usual.add_argument(
        "--alternatives", type=int, default=1, metavar="N", help="how many ways to find, the likeliest first"
    )
    usual.add_argument("--chords_per_bar", type=int, default=1, metavar="N", help="1, or 2 where a bar has two halves")
    usual.add_argument("--key", metavar="KEY", help="that the melody is in; found from the file if not given")
    usual.add_argument(
        "--accompaniment",
        choices=ACCOMPANIMENTS,
        help="play the chords too, in a MIDI or sound file: held, note after note, or bass and chord in turn",
    )
    parser.add_argument_group("which melody").add_argument(
        "--track",
        type=int,
        metavar="N",
        help="which track to take; the one that is most likely the melody if not given",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from ostinato.dataset.convert import read_music
    from ostinato.dataset.melodies import primer_of
    from ostinato.music.chords import chords_between, chords_text
    from ostinato.music.harmony import harmonize, signature_of
    from ostinato.music.keys import parse_key
    from ostinato.music.notation import estimated_key

    if args.accompaniment and not args.output:
        raise SettingsError(f"--accompaniment={args.accompaniment} is played in --output, which is missing")
    tunes = read_music(args.source)
    if len(tunes) > 1:
        say(f"{args.source}: the first of {len(tunes)} tunes")
    found = primer_of(tunes[0], args.track)
    melody = replace(found.melody, start_step=0)
    key = parse_key(args.key) if args.key else estimated_key(melody, signature_of(tunes[0]))
    ways = harmonize(melody, key, chords_per_bar=args.chords_per_bar, alternatives=args.alternatives)
    first = melody.steps_per_bar if melody.has_upbeat else 0
    output = Path(args.output) if args.output else None
    paths = [
        output.with_stem(f"{output.stem}_{number}") if output and len(ways) > 1 else output
        for number in range(1, len(ways) + 1)
    ]
    for way, path in zip(ways, paths, strict=True):
        chords = chords_between(way.chords, first, len(way))
        say(f"{path or key}  {chords_text(chords, len(way) - first, way.meter)}")
        if path:
            way.write(path, qpm=found.qpm, key=key, title=Path(args.source).stem, accompaniment=args.accompaniment)
    return 0
