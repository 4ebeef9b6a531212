"""The flags of commands that can also run as an Apache Beam pipeline."""

import argparse
import logging

from ostinato.errors import SettingsError


def add_runner(parser: argparse.ArgumentParser) -> None:
    """Add --num_shards and --runner. With --runner, the front door leaves Beam's own flags in `args.runner_flags`."""
    parser.add_argument(
        "--num_shards",
        type=int,
        metavar="N",
        help="write so many shards, NAME-00000-of-0000N.tfrecord and so on, which are read as NAME@N.tfrecord",
    )
    parser.add_argument(
        "--runner",
        metavar="NAME",
        help="do it as an Apache Beam pipeline on DirectRunner, PrismRunner, FlinkRunner, SparkRunner or "
        "DataflowRunner. Beam's own flags are taken too, such as --direct_num_workers=2; those that only the runner "
        "knows go after --",
    )


def runner_of(args: argparse.Namespace) -> tuple[str, list[str]] | None:
    """The runner and Beam's flags, or None for this machine's own processes.

    Raises:
        SettingsError: if --num_processes is given too.
    """
    if args.runner is None:
        return None
    if args.num_processes is not None:
        raise SettingsError("--num_processes goes without --runner; the DirectRunner has --direct_num_workers")
    if args.runner.lower().startswith("direct") and args.log != "DEBUG":
        logging.getLogger("apache_beam").setLevel(logging.WARNING)  # it tells of every channel it opens
    return args.runner, args.runner_flags
