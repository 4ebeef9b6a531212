"""The campaign's part that kills commands, fills their disks, and takes away what they read."""

import contextlib
import functools
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from campaign_trials import FINE, PATIENCE, REFUSED, ROOT, FaultError, Kind, ending, ostinato, run

from ostinato.bundle import load_bundle

TUNES = ROOT / "data" / "aird" / "midi"
GOLDEN = ROOT / "tests" / "golden"
LINKS = 10  # to each tune, for commands that would be done before they can be killed
ABANDONED_SECONDS = 100  # how old a temporary file is made, so that the next run may clear it away
LAST_SECONDS = 20  # in which processes must end whose parent was killed


class Materials:
    """What the commands read, made when the first trial needs it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @functools.cached_property
    def many(self) -> Path:
        """A folder of thousands of tunes."""
        return linked(self._folder / "many", LINKS)

    @functools.cached_property
    def few(self) -> Path:
        """A folder of a few tunes, in which a training takes seconds."""
        return linked(self._folder / "few", 1, slice(30))

    @functools.cached_property
    def human(self) -> Path:
        """As many others."""
        return linked(self._folder / "human", 1, slice(30, 60))

    @functools.cached_property
    def training(self) -> Path:
        """As many others again."""
        return linked(self._folder / "training", 1, slice(60, 90))

    @functools.cached_property
    def notes(self) -> Path:
        """The NoteSequences of the many."""
        return self._made(
            "notes.tfrecord", lambda path: ostinato("convert", f"--input_dir={self.many}", f"--output_file={path}")
        )

    @functools.cached_property
    def few_notes(self) -> Path:
        """The NoteSequences of the few."""
        return self._made(
            "few.tfrecord", lambda path: ostinato("convert", f"--input_dir={self.few}", f"--output_file={path}")
        )

    @functools.cached_property
    def records(self) -> Path:
        """A folder with training records of the few."""
        return self._made(
            "records",
            lambda path: ostinato("dataset", "--config=basic_rnn", f"--input={self.few_notes}", f"--output_dir={path}"),
        )

    def _made(self, name: str, command: Callable[[Path], list[str]]) -> Path:
        path = self._folder / name
        done = run(command(path))
        if done.returncode:
            raise FaultError(f"{name} could not be made: {done.stderr}")
        return path


def linked(folder: Path, copies: int, which: slice = slice(None)) -> Path:
    """A folder with this many links, or copies, of each of some tunes."""
    folder.mkdir(parents=True)
    for tune in sorted(TUNES.glob("*.mid"))[which]:
        for copy in range(copies):
            try:
                (folder / f"{tune.stem}_{copy}.mid").hardlink_to(tune)
            except OSError:
                shutil.copy(tune, folder / f"{tune.stem}_{copy}.mid")
    return folder


@dataclass(frozen=True, slots=True)
class Work:
    """A command, what it makes, and how to tell whether that is right.

    Attributes:
        name: of the command.
        command: takes the materials and the folder to write into.
        made: what is compared, of that folder.
        slow: whether it takes more than a second or two.
    """

    name: str
    command: Callable[[Materials, Path], list[str]]
    made: Callable[[Path], Any]
    slow: bool = False


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def arrays_of(model: Path) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in load_bundle(model).arrays.items()}


def figures(folder: Path) -> Any:
    return json.loads((folder / "figures.json").read_text())


WORKS = (
    Work(
        "convert",
        lambda given, into: ostinato(
            "convert", f"--input_dir={given.many}", f"--output_file={into}/notes", "--num_shards=3"
        ),
        files_in,
    ),
    Work(
        "dataset",
        lambda given, into: ostinato(
            "dataset", "--config=basic_rnn", f"--input={given.few_notes}", f"--output_dir={into}"
        ),
        files_in,
    ),
    Work(
        "train",
        lambda given, into: ostinato(
            *("train", "--config=basic_rnn", f"--run_dir={into}", "--seed=1", "--num_training_steps=60"),
            f"--sequence_example_file={given.records}/training_melodies.tfrecord",
            *("--hparams=batch_size=8,rnn_layer_sizes=[16]", "--checkpoint_seconds=0.5"),
        ),
        lambda into: arrays_of(into),
        slow=True,
    ),
    Work(
        "learn",
        lambda given, into: ostinato(
            "learn", given.few, f"--output={into}/my.mag", "--num_training_steps=20", "--seed=1"
        ),
        lambda into: arrays_of(into / "my.mag"),
        slow=True,
    ),
    Work(
        "evaluate",
        lambda given, into: ostinato(
            *("evaluate", f"--input={given.few}", f"--ngram_training={given.training}"),
            *("--config=lookback_rnn", "--num_resamples=100", f"--json={into}/figures.json"),
        ),
        figures,
        slow=True,
    ),
)


class Storm:
    """Kills a command at random moments, and then lets it end: it must make what it always makes."""

    def __init__(self, given: Materials, work: Work) -> None:
        self._given, self._work = given, work
        self._usual: tuple[Any, float] | None = None

    def _reference(self, folder: Path) -> tuple[Any, float]:
        """What the command makes if nobody disturbs it, and how many seconds it takes."""
        if self._usual is None:
            into = folder / "usual"
            into.mkdir()
            command = self._work.command(self._given, into)
            began = time.monotonic()
            done = run(command)
            if done.returncode:
                raise FaultError(f"it failed undisturbed: {done.stderr}")
            self._usual = self._work.made(into), time.monotonic() - began
        return self._usual

    def __call__(self, chance: random.Random, folder: Path) -> str:
        expected, seconds = self._reference(folder)
        into = folder / "made"
        into.mkdir()
        command = self._work.command(self._given, into)
        for _ in range(chance.randint(1, 3)):
            kill_midway(command, chance.uniform(0, seconds), whole_group=chance.random() < 0.5)
        long_ago = time.time() - ABANDONED_SECONDS
        for left in into.rglob(".*.tmp"):
            os.utime(left, (long_ago, long_ago))
        if ending(run(command)) == REFUSED:
            raise FaultError("it was refused after it had been killed")
        if self._work.made(into) != expected:
            raise FaultError("it made something else after it had been killed")
        if remains := [path.name for path in into.rglob(".*.tmp")]:
            raise FaultError(f"it left {remains}")
        return FINE


def kill_midway(command: list[str], seconds: float, *, whole_group: bool) -> None:
    """Start a command and kill it, with its processes or so that they must find out themselves."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    if whole_group:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
    until = time.monotonic() + LAST_SECONDS
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < until:
            os.killpg(process.pid, 0)  # raises when the last one is gone
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        raise FaultError(f"processes went on {LAST_SECONDS} s after their parent was killed")


class Cluster:
    """A Dask cluster of two workers, one or both of which are killed while `convert` runs on it."""

    def __init__(self, given: Materials, folder: Path, stack: contextlib.ExitStack) -> None:
        self._given, self._folder, self._stack = given, folder, stack

    @functools.cached_property
    def address(self) -> str:
        self._folder.mkdir(parents=True)
        found = self._folder / "scheduler.json"
        dask = [sys.executable, "-m", "dask"]
        options: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": self._folder}
        for command in (
            ["scheduler", "--host=127.0.0.1", "--port=0", "--no-dashboard"],
            ["worker", "--nworkers=2", "--nthreads=1", "--no-dashboard", "--host=127.0.0.1"],
        ):
            process = subprocess.Popen([*dask, *command, f"--scheduler-file={found}"], **options)
            self._stack.callback(process.wait)
            self._stack.callback(process.terminate)
        until = time.monotonic() + PATIENCE
        while not found.exists() and time.monotonic() < until:
            time.sleep(0.1)
        return str(json.loads(found.read_text())["address"])

    @functools.cached_property
    def usual(self) -> dict[str, bytes]:
        into = self._folder / "usual"
        if run(WORKS[0].command(self._given, into)).returncode:
            raise FaultError("convert failed undisturbed")
        return files_in(into)

    def __call__(self, chance: random.Random, folder: Path) -> str:
        from distributed import Client

        with Client(self.address) as client:
            client.wait_for_workers(2, timeout=PATIENCE)
            workers = list(client.run(os.getpid).values())
        into = folder / "made"
        command = [*WORKS[0].command(self._given, into), "--runner=dask", f"--address={self.address}"]
        killed = chance.sample(workers, chance.randint(1, 2))
        timers = [threading.Timer(chance.uniform(0.5, 4), kill, [worker]) for worker in killed]
        for timer in timers:
            timer.start()
        try:
            ended = ending(run(command))
        finally:
            for timer in timers:
                timer.cancel()
        if ended == REFUSED or files_in(into) != self.usual:
            raise FaultError("a killed worker cost more than time")
        return FINE


def kill(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


# Commands that write, each into the folder that is full, or that may not be written to.
WRITERS: dict[str, Callable[[Materials, Path], list[str]]] = {
    "convert": lambda given, into: ostinato(
        "convert", f"--input_dir={given.few}", f"--output_file={into}/notes.tfrecord"
    ),
    "dataset": lambda given, into: ostinato(
        "dataset", "--config=lookback_rnn", f"--input={given.few_notes}", f"--output_dir={into}"
    ),
    "generate": lambda _, into: ostinato(
        *(
            "generate",
            "--num_bars=4",
            "--num_outputs=3",
            "--seed=1",
            f"--output_dir={into}",
            f"--html={into}/page.html",
        ),
        *("--wav", "--musicxml", "--abc"),
    ),
    "harmonize": lambda given, into: ostinato(
        "harmonize", next(given.few.iterdir()), f"--output={into}/tune.mid", "--alternatives=3"
    ),
    "inspect": lambda given, into: ostinato("inspect", next(given.few.iterdir()), f"--json={into}/report.json"),
    "render": lambda given, into: ostinato("render", next(given.few.iterdir()), into / "sound.wav"),
    "compare": lambda given, into: ostinato(
        *("compare", f"--generated={given.few}", f"--human={given.human}", f"--training={given.training}"),
        *(f"--json={into}/figures.json", f"--html={into}/page.html"),
    ),
    "export": lambda _, into: ostinato("export", "lookback_rnn", f"--js={into}/site", f"--page={into}/page.html"),
    "bundle convert": lambda _, into: ostinato("bundle", "convert", GOLDEN / "gold_lookback.mag", into / "new.mag"),
    "evaluate": WORKS[4].command,
    "train": WORKS[2].command,
    "learn": WORKS[3].command,
}
SLOW_WRITERS = {"compare", "evaluate", "train", "learn", "export"}


def full_disk(writer: str, given: Materials, chance: random.Random, folder: Path) -> str:
    """A disk that is full sooner or later: one in memory or, where none can be mounted, a limit for each file."""
    size = int(2 ** chance.uniform(12, 25)) // 4096 * 4096
    target = folder / "full"
    target.mkdir()
    command = WRITERS[writer](given, target)
    with mounted(target, f"size={size}") as is_mounted:
        return _written(
            command, target, None if is_mounted else lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        )


def read_only(writer: str, given: Materials, _: random.Random, folder: Path) -> str:
    """A folder that may not be written to."""
    target = folder / "kept"
    target.mkdir()
    command = WRITERS[writer](given, target)
    with mounted(target, "ro") as is_mounted:
        if not is_mounted:
            if os.geteuid() == 0:  # whom no mode keeps out
                target = target / "file"
                target.touch()
                command = WRITERS[writer](given, target)
            target.chmod(0o500)
        ended = _written(command, target)
        target.chmod(0o700) if not is_mounted else None
    if ended == FINE and not is_mounted:
        raise FaultError("it wrote where it may not")
    return ended


def _written(command: list[str], target: Path, limit: Callable[[], None] | None = None) -> str:
    done = run(command, preexec_fn=limit)
    ended = ending(done)
    if ended == REFUSED and str(target) not in done.stderr:
        raise FaultError(f"it does not name the file: {done.stderr}")
    if target.is_dir() and (left := [path.name for path in target.rglob(".*.tmp")]):
        raise FaultError(f"it left {left}")
    return ended


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[bool]:
    """A disk in memory for the time of a block, if this user may mount one."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    is_mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


# Commands that read a folder, or a file, that changes under them.
READING: dict[str, Callable[[Path, Path], list[str]]] = {
    "convert": lambda tunes, into: ostinato("convert", f"--input_dir={tunes}", f"--output_file={into}/notes"),
    "inspect": lambda tunes, _: ostinato("inspect", *sorted(tunes.iterdir())[:50]),
    "learn --dry_run": lambda tunes, _: ostinato("learn", tunes, "--dry_run"),
}


def vanishing(reader: str, chance: random.Random, folder: Path) -> str:
    """Files that go away, become empty, or become folders while they are read."""
    tunes = linked(folder / "tunes", 2)
    command = READING[reader](tunes, folder)
    paths = sorted(tunes.iterdir())
    done: list[subprocess.CompletedProcess[str]] = []
    thread = threading.Thread(target=lambda: done.append(run(command)))
    thread.start()
    time.sleep(chance.uniform(0, 0.4))
    for path in chance.sample(paths, chance.randint(1, len(paths))):
        path.unlink()
        match chance.randrange(4):
            case 0:
                path.touch()
            case 1:
                path.mkdir()
            case 2:
                path.symlink_to("nowhere")
    thread.join()
    if not done:
        raise FaultError("it did not end")
    return ending(done[0])


def kinds(folder: Path, stack: contextlib.ExitStack) -> Iterator[Kind]:
    """The trials of this part."""
    given = Materials(folder)
    for work in WORKS:
        yield Kind(f"{work.name}, killed", Storm(given, work), work.slow)
    yield Kind("convert on Dask, workers killed", Cluster(given, folder / "cluster", stack), slow=True)
    for writer in WRITERS:
        yield Kind(f"{writer}, full disk", functools.partial(full_disk, writer, given), writer in SLOW_WRITERS)
    for writer in WRITERS:
        yield Kind(f"{writer}, read-only folder", functools.partial(read_only, writer, given), writer in SLOW_WRITERS)
    for reader in READING:
        yield Kind(f"{reader}, files vanish", functools.partial(vanishing, reader), reader != "convert")
