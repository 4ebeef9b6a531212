"""`ostinato jam`: play with a model, in turns, over MIDI ports."""

import argparse
import contextlib
import os
import secrets
import signal
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

from ostinato.cli.flags import USUAL, add_boolean, add_model, chosen_model
from ostinato.cli.terminal import cut, say
from ostinato.errors import MissingExtraError, SettingsError

if TYPE_CHECKING:
    from ostinato.live.session import SessionSettings

# Those that ask a program to end, where the system has them.
_ENDING_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


EXAMPLE = "ostinato jam --list_ports"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    usual = parser.add_argument_group(USUAL)
    usual.add_argument(
        "--input_port",
        metavar="NAME",
        help="the port you play on: its name, or a part that no other name has; virtual or virtual:NAME makes a new "
        "one; the only one there is if not given",
    )
    usual.add_argument("--output_port", metavar="NAME", help="the port that everything sounds on, in the same way")
    add_boolean(usual, "--list_ports", default=False, help="list the names of the MIDI ports, and stop there")
    time = parser.add_argument_group("time")
    time.add_argument("--qpm", type=float, default=120.0, metavar="QPM", help="tempo, in quarter notes a minute")
    time.add_argument("--meter", default="4/4", metavar="METER", help="such as 4/4, 3/4 or 6/8")
    time.add_argument(
        "--clock",
        metavar="NAME",
        help="follow the MIDI clock that comes to this port, in place of --qpm; start and stop with it",
    )
    add_model(parser.add_argument_group("which model; the best built-in one if you name none"))
    turns = parser.add_argument_group("turns")
    turns.add_argument(
        "--call_bars", default="auto", metavar="auto|N", help="length of a call in bars; auto: a bar of silence ends it"
    )
    turns.add_argument(
        "--response_bars", type=int, metavar="N", help="length of a response in bars; that of the call if not given"
    )
    add_boolean(turns, "--loop", default=False, help="repeat the response until you begin the next call")
    turns.add_argument(
        "--num_rounds", type=int, default=0, metavar="N", help="end after this many responses; 0: go on until Ctrl-C"
    )
    choice = parser.add_argument_group("how it chooses notes")
    choice.add_argument(
        "--temperature",
        type=float,
        default=1.0,
        metavar="T",
        help="below 1 for more likely responses, above 1 for wilder ones",
    )
    choice.add_argument(
        "--temperature_control",
        type=int,
        metavar="0..119",
        help="number of the control change (a knob of your keyboard) that sets the temperature from 0.1 to 2",
    )
    choice.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="the same seed gives the same responses to the same calls; a new one if not given",
    )
    sound = parser.add_argument_group("what sounds")
    add_boolean(
        sound,
        "--metronome",
        default=True,
        help="click on every beat; without it, the first note of each call is on the first beat",
    )
    sound.add_argument(
        "--metronome_channel", type=int, default=10, metavar="1..16", help="MIDI channel of the clicks; 10 is drums"
    )
    add_boolean(sound, "--passthrough", default=False, help="let what you play sound on the output too")
    sound.add_argument("--channel", type=int, default=1, metavar="1..16", help="MIDI channel of the responses")
    sound.add_argument(
        "--program",
        type=int,
        metavar="0..127",
        help="General MIDI instrument of the responses; left as it is if not given",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    # Products of this size gain nothing from a second thread, which would wait for them by spinning.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        import mido  # type: ignore[import-untyped]

        mido.backend.load()
    except ImportError:
        raise MissingExtraError("playing over MIDI ports", "live") from None
    if args.list_ports:
        return _list_ports()

    from ostinato.generation.model import Model
    from ostinato.live.midi_clock import MidiClock
    from ostinato.live.ports import open_clock, open_input, open_output
    from ostinato.live.session import MonotonicClock, Session, play
    from ostinato.live.turns import model_responder
    from ostinato.live.voices import Voice, Voices
    from ostinato.music.melody import Melody
    from ostinato.music.notes import text_roll

    def tell(voice: Voice, melody: Melody) -> None:
        say(cut(f"{voice.value:9}{text_roll(melody)}"))

    settings = _settings(args)
    bundle = chosen_model(args).bundle
    seed = secrets.randbits(32) if args.seed is None else args.seed
    if seed < 0:
        raise SettingsError(f"--seed must be 0 or more, not {seed}")
    respond = model_responder(Model(bundle), seed)
    with (
        contextlib.closing(open_input(args.input_port)) as input_port,
        contextlib.closing(open_output(args.output_port)) as output_port,
        contextlib.ExitStack() as stack,
        _ending_signals() as received,
    ):
        lead, lead_port = None, None
        time = f"at {settings.qpm:g} quarters a minute; play!"
        if args.clock is not None:
            lead = MidiClock(settings.meter, settings.qpm)
            lead_port = stack.enter_context(contextlib.closing(open_clock(args.clock, input_port)))
            time = f"by the clock of {lead_port.name}; start that, and play!"
        say(
            f"{bundle.config.name} hears {input_port.name} and plays on {output_port.name}, "
            f"{args.meter} {time} Ctrl-C ends",
        )
        clock, voices = MonotonicClock(), Voices(output_port.send)
        session = Session(settings, respond, voices, clock.now(), tell)
        play(session, voices, input_port, clock, lambda: bool(received), lead=lead, lead_port=lead_port)
    say(f"the same responses to the same calls with --seed={seed}")
    # Ctrl-C is how a session ends; what others end by a signal says so.
    return 128 + received[0] if received and received[0] != signal.SIGINT else 0


def _list_ports() -> int:
    from ostinato.live.ports import port_names

    for direction, names in zip(("input", "output"), port_names(), strict=True):
        print(f"{direction} ports:")
        print("\n".join(f"  {name}" for name in names) or f"  none; --{direction}_port=virtual makes one")
    return 0


def _settings(args: argparse.Namespace) -> "SessionSettings":
    """What the flags ask for; channels are counted from 1 there."""
    from ostinato.live.session import SessionSettings
    from ostinato.music.meter import parse_meter

    if args.call_bars != "auto" and not args.call_bars.isdecimal():
        raise SettingsError(f"--call_bars must be auto or a number of bars, not {args.call_bars!r}")
    for flag in ("channel", "metronome_channel"):
        if not 1 <= getattr(args, flag) <= 16:
            raise SettingsError(f"--{flag} must be 1 to 16, not {getattr(args, flag)}")
    return SessionSettings(
        qpm=args.qpm,
        meter=parse_meter(args.meter),
        call_bars=None if args.call_bars == "auto" else int(args.call_bars),
        response_bars=args.response_bars,
        metronome=args.metronome,
        passthrough=args.passthrough,
        loop=args.loop,
        temperature=args.temperature,
        temperature_control=args.temperature_control,
        num_rounds=args.num_rounds,
        channel=args.channel - 1,
        metronome_channel=args.metronome_channel - 1,
        program=args.program,
    )


@contextlib.contextmanager
def _ending_signals() -> Iterator[list[int]]:
    """Note the signals that ask the program to end, instead of ending on the spot."""
    received: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    numbers = [signal.Signals[name] for name in _ENDING_SIGNALS if name in signal.Signals.__members__]
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
