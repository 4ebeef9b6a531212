"""`ostinato render`: a MIDI file as sound."""

import argparse
from pathlib import Path

from ostinato.cli.flags import USUAL
from ostinato.cli.terminal import say
from ostinato.dataset.report import counted
from ostinato.errors import DataError, SettingsError

EXAMPLE = "ostinato render data/aird/midi/book5_0900.mid tune.wav"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    parser.add_argument("input_file", metavar="IN.mid", help="the MIDI file")
    parser.add_argument("output_file", metavar="OUT.wav", help="the WAV file to write, 16-bit stereo")
    usual = parser.add_argument_group(USUAL)
    usual.add_argument(
        "--soundfont",
        default="",
        metavar="FILE.sf2",
        help="play with the instruments of this SoundFont instead of the built-in synthesizer",
    )
    usual.add_argument("--sample_rate", type=int, default=44_100, metavar="HZ", help="samples a second, 8000 to 192000")
    usual.add_argument(
        "--gain",
        type=float,
        default=-1.0,
        metavar="DB",
        help="level of the loudest moment in decibels, -60 to 0; 0 is the most that a file can hold",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    source, target = Path(args.input_file), Path(args.output_file)
    if target.suffix.lower() != ".wav":
        raise SettingsError(f"{target}: only WAV files are written; give it a name that ends in .wav")
    if not -60 <= args.gain <= 0:
        raise SettingsError(f"--gain={args.gain:g}: the level must be of -60..0 decibels")
    if target.exists() and any(
        target.samefile(path) for path in (source, Path(args.soundfont or source)) if path.exists()
    ):
        raise SettingsError(f"{target}: is an input too; give the sound file another name")

    from ostinato.formats.midi.reader import read_midi
    from ostinato.sound.soundfont import synthesize_with
    from ostinato.sound.synthesizer import synthesize
    from ostinato.sound.wav import set_peak, sounding_seconds, write_wav

    sequence = read_midi(source)
    try:
        sounding_seconds(sequence, args.sample_rate)
    except DataError as error:
        raise DataError(f"{source}: {error}") from None
    if args.soundfont:
        samples = synthesize_with(args.soundfont, sequence, sample_rate=args.sample_rate)
    else:
        samples = synthesize(sequence, sample_rate=args.sample_rate)
    set_peak(samples, args.gain)
    write_wav(target, samples, args.sample_rate)
    say(f"Wrote {counted(len(sequence.notes), 'note')}, {len(samples) / args.sample_rate:.1f} seconds, to {target}")
    return 0
