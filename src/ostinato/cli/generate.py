"""`ostinato generate`: make melodies with a trained model and write them as MIDI files."""

import argparse
import ast
import logging
import os
import re
import secrets
import shlex
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostinato.cli.flags import ACCOMPANIMENTS, USUAL, add_boolean, add_magentas, add_model, chosen_model, settle_config
from ostinato.cli.terminal import Signals, cut, progress, say, stopped_by_signals
from ostinato.errors import DataError, SettingsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ostinato.cli.flags import Chosen
    from ostinato.formats.note_sequence_pb2 import NoteSequence
    from ostinato.generation.options import GenerationOptions
    from ostinato.music.melody import Melody
    from ostinato.music.meter import Meter

_QPM = 120.0
_NUM_STEPS = 128
_SAMPLE_RATE = 44_100
_MOST_DIGITS = 8  # of the number in a name: as many melodies as no memory holds
_PATIENCE = 1.0  # seconds that nobody minds: only longer work shows a bar
_CHORD_STRENGTH = 0.9  # the default of the options, which help does without
# Flags that are fields of the options by the same name.
_AS_THEY_ARE = (
    *("num_outputs", "temperature", "top_k", "top_p", "key", "beam_size", "branch_factor", "steps_per_iteration"),
    *("rank", "chords", "chord_strength"),
)
_logger = logging.getLogger(__name__)

_RANKINGS = {"likely": "likeliest", "varied": "most varied"}


EXAMPLE = 'ostinato generate --num_outputs=4 --num_bars=16 --key="D minor" --html=melodies.html'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    usual = parser.add_argument_group(USUAL)
    usual.add_argument("--num_outputs", type=int, default=10, metavar="N", help="how many melodies to make")
    usual.add_argument(
        "--num_bars",
        type=int,
        metavar="N",
        help="length of each in bars; a model that has learned how tunes end brings it to an end in the last one",
    )
    usual.add_argument(
        *("--primer", "--primer_midi", "--primer_abc", "--primer_musicxml"),
        default="",
        metavar="FILE",
        help="begin each with the melody of this MIDI, MusicXML or ABC file",
    )
    usual.add_argument("--key", metavar="KEY", help='use only notes of this key, such as C, Am or "D dorian"')
    usual.add_argument("--output_dir", default="generated", metavar="FOLDER", help="where to write the MIDI files")

    add_model(parser.add_argument_group("which model; the best built-in one if you name none"))

    length = parser.add_argument_group("length and ending")
    length.add_argument(
        "--num_steps",
        type=int,
        metavar="N",
        help=f"length of each in 16th notes, the primer included; {_NUM_STEPS} if you give neither this nor --num_bars",
    )
    add_boolean(
        length,
        "--ending",
        default=None,
        help="bring each melody to an end in its last bar, as is usual with --num_bars; --no_ending cuts it there",
    )
    length.add_argument(
        "--until_end",
        action="store_true",
        help="let the model decide where each melody ends, at the latest after --num_bars, or 32 bars",
    )

    begin = parser.add_argument_group("how it begins")
    begin.add_argument(
        "--primer_melody",
        default="",
        metavar="EVENTS",
        help='begin with these events, one for each 16th note, such as "[60, -2, 64, -1]": a pitch starts a note, -1 '
        "ends it, -2 changes nothing; without a primer each begins with a random note of the tonic chord",
    )
    begin.add_argument(
        "--primer_track",
        type=int,
        metavar="N",
        help="which track of --primer to take; the one that is most likely the melody if not given",
    )
    add_boolean(
        begin,
        "--upbeat",
        default=None,
        help="begin with an upbeat, in a bar before those of --num_bars; if not given, as often as the tunes that "
        "the model learned from",
    )
    begin.add_argument("--primer_bars", metavar="BARS", help="which of its bars, such as 5-8; all if not given")
    begin.add_argument(
        "--fill_bars", metavar="BARS", help="write these bars of the primer anew, such as 5-8, and keep the rest"
    )
    begin.add_argument("--no_primer_in_output", action="store_true", help="leave the primer out of what is written")

    notes = parser.add_argument_group("meter, tempo and range")
    notes.add_argument(
        "--meter", default="", metavar="METER", help="such as 3/4, 6/8 or 2/2; the primer's, or 4/4, if not given"
    )
    notes.add_argument(
        "--qpm", type=float, metavar="QPM", help=f"quarter notes a minute; the primer's, or {_QPM:g}, if not given"
    )
    notes.add_argument("--min_note", metavar="NOTE", help="lowest note to use, such as C4 or 60")
    notes.add_argument("--max_note", metavar="NOTE", help="highest note to use")

    chords = parser.add_argument_group("chords")
    chords.add_argument(
        "--chords",
        metavar="CHORDS",
        help='make melodies over these chords, bar by bar, such as "C | Am | F G | C"; they come again up to the end; '
        "%% is the bar before once more",
    )
    chords.add_argument(
        "--chord_strength",
        type=float,
        default=_CHORD_STRENGTH,
        metavar="S",
        help="how strictly the notes on the beats are those of the chord, from 0 (not at all) to 1 (always)",
    )
    chords.add_argument(
        "--accompaniment",
        choices=ACCOMPANIMENTS,
        help="play the chords too, in the MIDI and sound files: held, note after note, or bass and chord in turn",
    )

    choice = parser.add_argument_group("how it chooses notes")
    choice.add_argument(
        "--temperature",
        type=float,
        default=1.0,
        metavar="T",
        help="below 1 for more likely melodies, above 1 for wilder ones",
    )
    choice.add_argument(
        "--top_k", type=int, default=0, metavar="K", help="choose among the K most likely events only; 0: among all"
    )
    choice.add_argument(
        "--top_p",
        type=float,
        default=1.0,
        metavar="P",
        help="choose among the fewest events that together have this probability; 1: among all",
    )
    choice.add_argument("--rank", type=int, metavar="N", help="make N melodies and keep the best --num_outputs of them")
    choice.add_argument(
        "--rank_by",
        choices=("likely", "varied"),
        help="best are the most likely (if not given), or those that differ most",
    )
    choice.add_argument(
        "--seed", type=int, metavar="N", help="the same seed makes the same melodies; a new one each time if not given"
    )
    choice.add_argument("--beam_size", type=int, default=1, metavar="N", help="how many melodies a beam search keeps")
    choice.add_argument(
        "--branch_factor", type=int, default=1, metavar="N", help="how many continuations of each it tries"
    )
    choice.add_argument(
        "--steps_per_iteration", type=int, default=1, metavar="N", help="16th notes between two choices of it"
    )

    output = parser.add_argument_group("what else to write")
    output.add_argument("--html", default="", metavar="FILE", help="a page to see and hear the melodies")
    add_boolean(output, "--wav", default=False, help="each melody as sound too, beside its MIDI file")
    output.add_argument(
        "--soundfont", default="", metavar="FILE", help="play --wav with the instruments of this SoundFont (.sf2)"
    )
    add_boolean(output, "--musicxml", default=False, help="each melody as a MusicXML score too, beside its MIDI file")
    add_boolean(output, "--abc", default=False, help="all melodies as one tune book in ABC notation")

    magentas = add_magentas(parser)
    magentas.add_argument("--hparams", default="", metavar="LIST", help="not needed: the model knows its own")
    add_boolean(
        magentas, "--save_generator_bundle", default=False, help="write the model to --bundle_file instead of melodies"
    )
    magentas.add_argument("--bundle_description", default="", metavar="TEXT", help="what that bundle is, in words")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    # Products of this size gain nothing from a second thread, which would wait for them by spinning.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    settle_config(args)
    if args.save_generator_bundle:
        return _save_bundle(args)
    _refuse_contradictions(args)
    primer = _primer(args)
    options = _options(args, primer)
    model = chosen_model(args)
    with stopped_by_signals(patient=False) as signals:
        _generate(args, primer, options, model, signals)
    return signals.exit_code


def _require_length_of_sound(args: argparse.Namespace, options: "GenerationOptions", qpm: float) -> None:
    """Refuse melodies that are longer than the sound that can be made of them, before they are made."""
    if not args.wav or qpm <= 0:
        return
    from ostinato.music.meter import STEPS_PER_QUARTER
    from ostinato.sound.wav import MAX_FRAMES

    seconds = (options.num_steps or 0) / STEPS_PER_QUARTER * 60 / qpm
    if seconds > MAX_FRAMES / _SAMPLE_RATE:
        raise SettingsError(
            f"--wav: melodies of {options.num_steps:,} steps at {qpm:g} quarters a minute last {seconds:,.0f} seconds, "
            f"but at most {MAX_FRAMES / _SAMPLE_RATE:,.0f} can be rendered; ask for fewer, or leave --wav out"
        )


def _generate(
    args: argparse.Namespace, primer: "_Primer", options: "GenerationOptions", model: "Chosen", signals: Signals
) -> None:
    """Make the melodies and write them; a stop leaves what is made so far."""
    from ostinato.formats.midi.writer import note_sequence_to_midi
    from ostinato.generation.model import Model
    from ostinato.music.melody import Melody
    from ostinato.music.notes import text_roll

    qpm = primer.qpm if args.qpm is None else args.qpm
    _require_length_of_sound(args, options, qpm)
    num_steps = options.num_made * ((options.num_steps or 0) - len(options.opening))
    with progress("steps", num_steps, unit_scale=True, delay=_PATIENCE) as shown:

        def watch(steps: int) -> bool:
            shown(steps)
            return not signals.stop.is_set()

        melodies: Sequence[Melody] = Model(model.bundle).make(options, watch)
    if args.no_primer_in_output:
        melodies = [_without_primer(melody, len(options.opening)) for melody in melodies]
    sequences = [melody.to_note_sequence(qpm, accompaniment=args.accompaniment) for melody in melodies]
    files = [note_sequence_to_midi(sequence) for sequence in sequences]
    sounds = _sounds(args.soundfont, sequences) if args.wav else iter(())
    # The first one is made before anything is written, so that a SoundFont that can't play leaves nothing behind.
    first = list(islice(sounds, 1))
    paths = _write_new(Path(args.output_dir), files)
    say(*(cut(f"{path}  {text_roll(melody)}") for path, melody in zip(paths, melodies, strict=True)))
    if args.wav:
        with progress("melodies", len(paths)) as made_sound:
            for number, (path, samples) in enumerate(zip(paths, chain(first, sounds), strict=True), start=1):
                _write_sound(path.with_suffix(".wav"), samples)
                made_sound(1)
                if signals.stop.is_set() and number < len(paths):
                    say(f"stopped: {number} of {len(paths)} sound files are finished; the MIDI files are all there")
                    break
    if args.abc or args.musicxml:
        _write_scores(args, melodies, options, qpm, paths)
    made = f"{len(melodies)} {'melody' if len(melodies) == 1 else 'melodies'} of {model.name}"
    if args.html:
        _write_page(args, melodies, made, _command(args, options.seed), qpm, [path.name for path in paths])
        say(f"{args.html}: a page to see and hear them")
    chosen = f", the {_RANKINGS[options.rank_by]} of {args.rank}" if args.rank else ""
    say(f"{made} in {args.output_dir}{chosen}; the same again with --seed={options.seed}")


def _without_primer(melody: "Melody", steps: int) -> "Melody":
    from ostinato.music.melody import Melody

    chords = melody.chords
    if chords:
        from ostinato.music.chords import chords_between

        chords = chords_between(chords, steps, len(melody))
    return Melody(melody[steps:], meter=melody.meter, ends=melody.ends, chords=chords)


def _refuse_contradictions(args: argparse.Namespace) -> None:
    """Refuse flags that say two things at once, or change what isn't there."""
    if args.primer_melody and args.primer:
        raise SettingsError("give either --primer_melody or --primer, not both")
    if args.primer_track is not None and not args.primer:
        raise SettingsError("--primer_track is a track of --primer, which is missing")
    if args.primer_bars and not args.primer:
        raise SettingsError("--primer_bars are bars of --primer, which is missing")
    if args.no_primer_in_output and not (args.primer_melody or args.primer):
        raise SettingsError("--no_primer_in_output leaves out a primer, but there is none; see --primer_melody")
    if args.num_steps is not None and args.num_bars is not None:
        raise SettingsError("give either --num_steps or --num_bars, not both")
    if args.num_bars is not None and args.num_bars < 1:
        raise SettingsError(f"--num_bars={args.num_bars}: there must be at least 1 bar")
    if args.until_end and args.num_steps is not None:
        raise SettingsError("--until_end is at most so many bars: give --num_bars in place of --num_steps")
    if args.fill_bars:
        if not (args.primer or args.primer_melody):
            raise SettingsError("--fill_bars are bars of a primer, which is missing; see --primer")
        for flag in ("num_steps", "num_bars", "until_end", "ending", "no_primer_in_output"):
            if getattr(args, flag) not in (None, False):
                raise SettingsError(f"--fill_bars keeps all of the primer but these bars; leave --{flag} out")
    if args.rank_by and args.rank is None:
        raise SettingsError(f"--rank_by={args.rank_by} chooses among --rank=N melodies, which is missing")
    if args.accompaniment and not (args.chords or args.primer):
        raise SettingsError(f"--accompaniment={args.accompaniment} plays chords, which are missing; see --chords")
    if args.chord_strength != _CHORD_STRENGTH and not args.chords:
        raise SettingsError("--chord_strength is that of --chords, which are missing")
    if args.soundfont and not args.wav:
        raise SettingsError("--soundfont plays --wav, which is missing")


def _options(args: argparse.Namespace, primer: "_Primer") -> "GenerationOptions":
    """What the flags ask for; a primer that can't be is refused by the name of its flag or file."""
    from ostinato.generation.options import GenerationOptions

    asked: dict[str, Any] = {name: getattr(args, name) for name in _AS_THEY_ARE}
    for name in ("min_note", "max_note"):
        if (text := getattr(args, name)) is not None:
            from ostinato.music.keys import parse_note

            try:
                asked[name] = parse_note(text)
            except SettingsError as error:
                raise SettingsError(f"--{name}: {error}") from None
    options = GenerationOptions(
        _NUM_STEPS if args.num_steps is None else args.num_steps,
        meter=primer.meter,
        seed=secrets.randbits(32) if args.seed is None else args.seed,
        rank_by=args.rank_by or "likely",
        **asked,
    )
    length: dict[str, Any] = {"num_bars": args.num_bars, "ending": args.ending, "until_end": args.until_end}
    length["upbeat"] = args.upbeat
    if fill := _bars("fill_bars", args.fill_bars):
        # The bars are counted as the primer's file counts them.
        length = {"fill": (fill[0] - primer.first_bar + 1, fill[1] - primer.first_bar + 1)}
    try:
        return replace(options, primer=primer.events, **length)
    except SettingsError as error:
        raise SettingsError(f"{primer.source}: {error}") from None


@dataclass(frozen=True, slots=True)
class _Primer:
    """How each melody begins, and its tempo and meter."""

    source: str = "--primer_melody"
    events: "Melody | list[int] | None" = None
    qpm: float = _QPM
    meter: "Meter | None" = None
    first_bar: int = 1


def _primer(args: argparse.Namespace) -> _Primer:
    """The primer that the flags ask for, or only its meter."""
    primer = _Primer(events=_events(args.primer_melody) if args.primer_melody else None)
    if args.primer:
        primer = _primer_in(args.primer, args.primer_track, _bars("primer_bars", args.primer_bars))
    if args.meter:
        from ostinato.music.meter import parse_meter

        meter = parse_meter(args.meter)
        if primer.meter not in (None, meter):
            raise SettingsError(
                f"{primer.source}: the primer is in {primer.meter}, not in --meter={meter}; leave --meter out"
            )
        primer = replace(primer, meter=meter)
    return primer


def _events(text: str) -> list[int]:
    """The list that --primer_melody is written as."""
    try:
        events = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        events = None
    if not isinstance(events, (list, tuple)):
        raise SettingsError(f'--primer_melody={text!r} is no list of events; write it as "[60, -2, 64, -1]"')
    return list(events)


def _bars(flag: str, text: str | None) -> tuple[int, int] | None:
    """The bars that a flag names."""
    if not text:
        return None
    found = re.fullmatch(r"\s*(\d{1,6})(?:\s*-\s*(\d{1,6}))?\s*", text, re.ASCII)
    if found is None or not 1 <= int(found[1]) <= int(found[2] or found[1]):
        raise SettingsError(f"--{flag}={text}: write the first and the last bar, counted from 1, as 5-8")
    return int(found[1]), int(found[2] or found[1])


def _primer_in(path: str, track: int | None, bars: tuple[int, int] | None) -> _Primer:
    """The melody of a file, with what there is to say of the choice."""
    from ostinato.dataset.convert import read_music
    from ostinato.dataset.melodies import primer_of

    with warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always")
        tunes = read_music(path)
    for remark in remarks:
        _logger.warning("%s: %s", path, remark.message)
    # Of a book the first tune that has a melody.
    for number, tune in enumerate(tunes, 1):
        try:
            found = primer_of(tune, track, bars)
            break
        except DataError:
            if number == len(tunes):
                raise
    book = f" of tune {number} of {len(tunes)}" if len(tunes) > 1 else ""
    span = f"bars {found.first_bar}-{found.last_bar}" if found.last_bar > found.first_bar else f"bar {found.first_bar}"
    say(
        f"{path}: {len(found.melody)} steps of track {_named(found.track, found.track_name)}{book}, {span}, "
        f"{found.melody.meter} at {found.qpm:g} quarters a minute"
    )
    if track is None and found.evidence is not None and (next_one := found.runner_up) is not None:
        say(
            f"  it is most likely the melody: {found.evidence.reason}; next is track "
            f"{_named(next_one.track, next_one.name)} (--primer_track={next_one.track})"
        )
    say(*(f"  {change}" for change in found.changes))
    return _Primer(path, found.melody, found.qpm, found.melody.meter, found.first_bar)


def _named(track: int, name: str) -> str:
    return f"{track} {name!r}" if name else f"{track}"


def _save_bundle(args: argparse.Namespace) -> int:
    """Do as Magenta's flag says: write the model of --run_dir or --checkpoint_file to --bundle_file."""
    from ostinato.cli.bundle import write_bundle

    if bool(args.run_dir) == bool(args.checkpoint_file):
        raise SettingsError("--save_generator_bundle takes its model from either --run_dir or --checkpoint_file")
    if not args.bundle_file:
        raise SettingsError("--save_generator_bundle needs --bundle_file: the bundle to write")
    model = chosen_model(args, among=("run_dir", "checkpoint_file"))
    write_bundle(
        model.bundle,
        args.bundle_file,
        args.bundle_description,
        trained_in=model.path,
        generator_id=args.generator_id,
        generator_description=args.generator_description,
    )
    return 0


def _write_new(folder: Path, files: Sequence[bytes]) -> list[Path]:
    """Write new files YYYY-MM-DD_HHMMSS_01.mid and so on, all or none.

    Where a name is taken, from earlier or by another process, all take the next second's, and so they do where that
    second has a file with more or fewer digits: a tune book goes by the second alone.
    """
    from ostinato.formats import atomic_writer

    digits = len(str(len(files)))
    moment = datetime.now()
    while True:
        while any(
            (folder / f"{moment:%Y-%m-%d_%H%M%S}_{1:0{other}}.mid").exists() for other in range(1, _MOST_DIGITS + 1)
        ):
            moment += timedelta(seconds=1)
        written: list[Path] = []
        try:
            for number, data in enumerate(files, start=1):
                path = folder / f"{moment:%Y-%m-%d_%H%M%S}_{number:0{digits}}.mid"
                # Not synced to disk one by one: it takes longer than to make the melodies, which a seed gives again.
                with atomic_writer(path, sync=False, overwrite=False) as file:
                    file.write(data)
                written.append(path)
        except BaseException as error:
            for path in written:
                path.unlink()
            if not isinstance(error, FileExistsError):
                raise
            moment += timedelta(seconds=1)
        else:
            return written


def _sounds(soundfont: str, sequences: "Sequence[NoteSequence]") -> "Iterator[NDArray[np.float32]]":
    """The sound of each sequence, made when it is asked for: a minute of it is some 20 megabytes."""
    if soundfont:
        from ostinato.sound.soundfont import synthesize_with

        return (synthesize_with(soundfont, sequence, sample_rate=_SAMPLE_RATE) for sequence in sequences)
    from ostinato.sound.synthesizer import synthesize

    return (synthesize(sequence, sample_rate=_SAMPLE_RATE) for sequence in sequences)


def _write_sound(path: Path, samples: "NDArray[np.float32]") -> None:
    from ostinato.sound.wav import write_wav

    write_wav(path, samples, _SAMPLE_RATE)


def _write_scores(
    args: argparse.Namespace,
    melodies: "Sequence[Melody]",
    options: "GenerationOptions",
    qpm: float,
    paths: Sequence[Path],
) -> None:
    """Write the melodies down: a MusicXML score beside each MIDI file, all of them into one book of ABC."""
    from ostinato.formats import atomic_writer
    from ostinato.music.notation import notate

    sheets = [
        notate(melody, key=options.parsed_key, qpm=qpm, title=path.stem)
        for melody, path in zip(melodies, paths, strict=True)
    ]
    if args.musicxml:
        from ostinato.formats.scores.musicxml_writer import sheet_to_musicxml

        for path, sheet in zip(paths, sheets, strict=True):
            with atomic_writer(path.with_suffix(".musicxml"), sync=False) as file:
                file.write(sheet_to_musicxml(sheet))
    if args.abc:
        from ostinato.formats.scores.abc_writer import sheets_to_abc

        # By the moment in the names of the MIDI files, which no other run has.
        book = paths[0].with_name(f"{paths[0].stem.rpartition('_')[0]}.abc")
        with atomic_writer(book, sync=False) as file:
            file.write(sheets_to_abc(sheets).encode())
        say(f"{book}: a tune book of them in ABC")


def _write_page(
    args: argparse.Namespace,
    melodies: "Sequence[Melody]",
    title: str,
    command: str,
    qpm: float,
    captions: Sequence[str],
) -> None:
    from ostinato.formats import atomic_writer
    from ostinato.pages.piano_roll import melodies_page

    page = melodies_page(
        melodies, title=title, command=command, qpm=qpm, captions=captions, accompaniment=args.accompaniment
    )
    with atomic_writer(args.html, sync=False) as file:
        file.write(page.encode())


def _command(args: argparse.Namespace, seed: object) -> str:
    """The command that makes the same melodies again: all flags that are not at their defaults, and the seed."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    defaults = vars(parser.parse_args([]))
    chosen = {name: getattr(args, name) for name in defaults if getattr(args, name) != defaults[name]}
    flags = [f"--{name}" if value is True else f"--{name}={value}" for name, value in (chosen | {"seed": seed}).items()]
    return shlex.join(["ostinato", "generate", *flags])
