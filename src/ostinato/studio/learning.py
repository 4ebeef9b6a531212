"""Training from the page: the tunes that someone has put in, and the one training that may run.

The work is `ostinato learn` in a process of its own, so that it takes nothing
from those who play but processor time, and ends at once when it is cancelled or
the studio ends. Tunes and models are in a temporary folder that goes with the
studio.
"""

import importlib.util
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ostinato.dataset.convert import SOURCE_FORMATS
from ostinato.errors import DataError, MissingExtraError, OstinatoError, SettingsError
from ostinato.studio.models import Models
from ostinato.studio.schema import (
    MAX_LEARNED,
    MAX_TUNE_BYTES,
    MAX_TUNES,
    Learning,
    LearnRequest,
    LeftOut,
    SkippedTune,
    TuneCount,
    TuneReport,
)

IDLE_SECONDS = 600.0
"""How long the place for tunes stays one browser's after its last request; a training keeps it to its end."""

_COMMAND = (sys.executable, "-m", "ostinato", "learn")
_INSPECTION_SECONDS = 120.0
_KILL_SECONDS = 5.0
_NICE = 10  # those who play come first
_MAX_NAME = 60  # characters of a tune's name
_MAX_POINTS = 400  # of the curve: as many as can be seen
_MAX_SKIPPED = 50  # files that are named
_LOG_BYTES = 4000  # the end of what the command says: its last line is the error

Client = tuple[str, str]


class Learner:
    """The tunes and the training of a studio; any thread may use it.

    Args:
        models: where the trained model goes.
        added: called with the name and the path of each new model, for whoever else plays it.
        command: what trains, before the folder and the flags.
        flags: more flags for it.
    """

    def __init__(
        self,
        models: Models,
        added: Callable[[str, Path], None] = lambda _name, _path: None,
        command: Sequence[str] = _COMMAND,
        flags: Sequence[str] = (),
    ) -> None:
        self._models, self._added = models, added
        self._command, self._flags = tuple(command), tuple(flags)
        self._lock = threading.RLock()
        self._inspecting = threading.Lock()
        self._home: Path | None = None
        self._owner: Client | None = None
        self._seen = -math.inf
        self._tunes: dict[str, int] = {}
        self._report: TuneReport | None = None
        self._job: _Job | None = None
        self._learned: dict[str, Path] = {}
        self._num_jobs = 0
        self._is_closed = False

    def put(self, client: Client, filename: str, data: bytes) -> TuneCount:
        """Add a file to a client's tunes.

        Args:
            client: whose it is.
            filename: what it is called there; folders before it are passed over.
            data: its bytes.

        Raises:
            SettingsError: if it is no music file by its name, there are too many, or they are another client's.
        """
        stem, suffix = _safe_name(filename)
        with self._lock:
            self._take(client)
            self._require_no_job()
            self._job = None
            if len(self._tunes) >= MAX_TUNES:
                raise SettingsError(f"there are {MAX_TUNES} files already, and no more are taken; choose fewer")
            if sum(self._tunes.values()) + len(data) > MAX_TUNE_BYTES:
                raise SettingsError(
                    f"the files have more than {MAX_TUNE_BYTES >> 20} MiB together, and no more are taken; choose fewer"
                )
            name, number = f"{stem}{suffix}", 1
            taken = {each.lower() for each in self._tunes}
            while name.lower() in taken:
                number += 1
                name = f"{stem}-{number}{suffix}"
            folder = self._folder("tunes")
            folder.mkdir(exist_ok=True)
            (folder / name).write_bytes(data)
            self._tunes[name] = len(data)
            self._report = None
            return self._count()

    def drop(self, client: Client) -> TuneCount:
        """Take out all tunes of a client.

        Raises:
            SettingsError: if they are another client's, or are being learned from.
        """
        with self._lock:
            self._take(client)
            self._require_no_job()
            self._clear()
            self._owner = None
            return self._count()

    def report(self, client: Client) -> TuneReport:
        """What is in a client's tunes, as `ostinato learn --dry_run` tells.

        Raises:
            SettingsError: if there are none, or they are another client's.
            DataError: if there is too little in them to learn from.
        """
        with self._inspecting:
            with self._lock:
                self._take(client)
                if not self._tunes:
                    raise SettingsError("there are no tunes to learn from yet; put in some files")
                if self._report is not None:
                    return self._report
                self._require_no_job()
                tunes, folder, path = dict(self._tunes), self._folder("tunes"), self._folder("report.json")
            try:
                done = subprocess.run(
                    [*self._command, str(folder), "--dry_run", f"--json={path}"],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    timeout=_INSPECTION_SECONDS,
                )
            except subprocess.TimeoutExpired:
                raise DataError(
                    f"reading the files takes more than {_INSPECTION_SECONDS:g} seconds; choose fewer"
                ) from None
            if done.returncode:
                raise DataError(_last_line(done.stderr, folder))
            report = _report_of(json.loads(path.read_bytes()))
            with self._lock:
                if self._tunes == tunes:
                    self._report = report
            return report

    def begin(self, client: Client, request: LearnRequest) -> Learning:
        """Begin to learn from a client's tunes.

        Raises:
            MissingExtraError: if PyTorch is not installed.
            SettingsError: if there are no tunes, another training runs, or there are too many trained models.
        """
        with self._lock:
            if (missing := _missing()) is not None:
                raise missing
            self._take(client)
            self._require_no_job()
            if not self._tunes:
                raise SettingsError("there are no tunes to learn from yet; put in some files")
            if len(self._learned) >= MAX_LEARNED:
                raise SettingsError(
                    f"this studio has {MAX_LEARNED} trained models, and no more are kept; save those you want, and "
                    "start it anew"
                )
            self._num_jobs += 1
            folder = self._folder(f"job-{self._num_jobs}")
            folder.mkdir()
            self._job = _Job(request, folder, client)
            self._job.start(
                [
                    *self._command,
                    str(self._folder("tunes")),
                    f"--output={self._job.bundle}",
                    f"--minutes={request.minutes:g}",
                    f"--work_dir={folder / 'work'}",
                    f"--progress={self._job.progress}",
                    *self._flags,
                ]
            )
            threading.Thread(target=self._watch, args=(self._job,), daemon=True).start()
            return self.state(client)

    def cancel(self, client: Client) -> Learning:
        """End a client's training, and keep nothing of it. One that has ended is forgotten.

        Raises:
            SettingsError: if it is another client's.
        """
        with self._lock:
            job = self._job
            if job is not None and job.client != client:
                raise SettingsError("this training was begun in another browser, which alone can cancel it")
            if job is not None:
                job.cancel()
            self._job = None
            self._seen = time.monotonic()
            return self.state(client)

    def state(self, client: Client) -> Learning:
        """How the training goes, or went."""
        with self._lock:
            num_tunes = len(self._tunes) if client == self._owner else 0
            if self._job is not None:
                return self._job.told(client, num_tunes)
        missing = _missing()
        return Learning(state="idle", tunes=num_tunes, missing=None if missing is None else str(missing))

    def bundle(self, name: str) -> Path:
        """Where a model is that was trained here.

        Raises:
            SettingsError: if none is called that.
        """
        path = self._learned.get(name)
        if path is None:
            raise SettingsError(f"no model that was trained here is called {name!r}")
        return path

    def close(self) -> None:
        """End what runs, and remove all tunes and models."""
        with self._lock:
            self._is_closed = True
            if self._job is not None:
                self._job.cancel()
            if self._home is not None:
                shutil.rmtree(self._home, ignore_errors=True)

    def _watch(self, job: "_Job") -> None:
        """Wait for the end of a training, and take over its model."""
        job.wait()
        with self._lock:
            shutil.rmtree(job.folder / "work", ignore_errors=True)
            if job.is_cancelled:
                shutil.rmtree(job.folder, ignore_errors=True)
                return
            try:
                if job.process.returncode:
                    raise DataError(_last_line(job.log.read_bytes(), self._folder("tunes")))
                name = self._models.add(job.request.name.strip(), job.bundle)
                self._added(name, job.bundle)
                job.end(name, self._models.bundle(name).provenance.get("card"))
                self._learned[name] = job.bundle
            except (OSError, OstinatoError) as error:
                job.fail(str(error))
            self._seen = time.monotonic()

    def _take(self, client: Client) -> None:
        """Let the place for tunes be a client's, if it is no other's."""
        if self._is_closed:
            raise SettingsError("the studio is ending")
        if self._owner != client:
            is_learning = self._job is not None and self._job.state == "learning"
            if self._owner is not None and (is_learning or time.monotonic() - self._seen < IDLE_SECONDS):
                what = "is being trained" if is_learning else "is being prepared"
                raise SettingsError(f"a model {what} in another browser, and one at a time can be; try again later")
            self._clear()
            self._owner = client
        self._seen = time.monotonic()

    def _require_no_job(self) -> None:
        if self._job is not None and self._job.state == "learning":
            raise SettingsError("a model is being trained; wait until it is done, or cancel it")

    def _clear(self) -> None:
        if self._home is not None:
            shutil.rmtree(self._home / "tunes", ignore_errors=True)
        self._tunes = {}
        self._report = None

    def _count(self) -> TuneCount:
        return TuneCount(files=len(self._tunes), bytes=sum(self._tunes.values()))

    def _folder(self, name: str) -> Path:
        if self._home is None:
            self._home = Path(tempfile.mkdtemp(prefix="ostinato-studio-"))
        return self._home / name


@dataclass(slots=True)
class _Job:
    """A training: what was asked for, its process, and what became of it."""

    request: LearnRequest
    folder: Path
    client: Client
    state: Literal["learning", "done", "failed"] = "learning"
    is_cancelled: bool = False
    process: "subprocess.Popen[bytes]" = field(init=False)
    began: float = field(default_factory=time.monotonic)
    seconds: float | None = None
    model: str | None = None
    error: str | None = None
    bits: tuple[float | None, float | None] = (None, None)

    @property
    def bundle(self) -> Path:
        return self.folder / "model.mag"

    @property
    def progress(self) -> Path:
        return self.folder / "progress.jsonl"

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    def start(self, command: Sequence[str]) -> None:
        with self.log.open("wb") as log:
            # In a session of its own: Ctrl-C is the studio's to answer, and what the command starts ends with it.
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        if hasattr(os, "setpriority"):
            os.setpriority(os.PRIO_PGRP, self.process.pid, _NICE)

    def wait(self) -> None:
        self.process.wait()
        self.seconds = time.monotonic() - self.began

    def cancel(self) -> None:
        """End it and all that it has started, at once, if it has not ended."""
        if self.state != "learning":
            return
        self.is_cancelled = True
        if self.process.poll() is None:
            if hasattr(os, "killpg"):
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()
            self.process.wait(_KILL_SECONDS)

    def end(self, model: str, card: Any) -> None:
        held_out = card.get("held_out", {}) if isinstance(card, dict) else {}
        before, after = ((held_out.get(when) or {}).get("bits_per_step") for when in ("before", "validation"))
        self.bits = before, after
        self.model = model
        self.state = "done"

    def fail(self, error: str) -> None:
        self.error = error
        self.state = "failed"

    def told(self, client: Client, num_tunes: int) -> Learning:
        step, curve = _progress(self.progress)
        return Learning(
            state=self.state,
            tunes=num_tunes,
            yours=client == self.client,
            name=self.request.name,
            minutes=self.request.minutes,
            seconds=round(time.monotonic() - self.began if self.seconds is None else self.seconds, 1),
            step=step,
            curve=curve,
            model=self.model,
            error=self.error,
            bits_before=self.bits[0],
            bits_after=self.bits[1],
        )


def _missing() -> MissingExtraError | None:
    """What training needs and is not installed."""
    is_there = all(importlib.util.find_spec(name) is not None for name in ("torch", "tensorboard"))
    return None if is_there else MissingExtraError("training", "train")


def _safe_name(filename: str) -> tuple[str, str]:
    """Stem and extension of a file's name that leads nowhere else.

    Raises:
        SettingsError: if it is no music file's.
    """
    name = re.split(r"[/\\]", filename)[-1]
    stem, suffix = os.path.splitext(name)  # noqa: PTH122
    if suffix.lower() not in SOURCE_FORMATS:
        raise SettingsError(f"filename must end in {', '.join(SOURCE_FORMATS)}, not {name[-_MAX_NAME:]!r}")
    return re.sub(r"[^\w\-]+", " ", stem)[:_MAX_NAME].strip() or "tune", suffix.lower()


def _last_line(said: bytes, folder: Path) -> str:
    """The error that a command ended with, without the name of a folder that its reader doesn't know."""
    lines = said[-_LOG_BYTES:].decode(errors="replace").strip().splitlines()
    line = lines[-1] if lines else "it ended without a word"
    return re.sub(r"^(ostinato: )?(error: )?", "", line).replace(str(folder), "your tunes")


def _report_of(report: dict[str, Any]) -> TuneReport:
    learned_from = report["learned_from"]
    return TuneReport(
        files=report["files"],
        read=report["read"],
        tunes=report["tunes"],
        melodies=len(learned_from),
        held_out=sum(each["held_out"] for each in learned_from),
        left_out=[LeftOut(count=each["count"], what=each["what"]) for each in report["left_out"]],
        skipped=[SkippedTune(file=each["file"], reason=each["reason"]) for each in report["skipped"][:_MAX_SKIPPED]],
    )


def _progress(path: Path) -> tuple[int, list[tuple[int, float]]]:
    """The last step, and the held-out loss at each evaluation; of many a few."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]  # one that is being written has no end
    except OSError:  # not begun
        return 0, []
    told = [json.loads(line) for line in lines]
    curve = [(each["step"], each["held_out"]) for each in told if "held_out" in each]
    if len(curve) > _MAX_POINTS:
        curve = [curve[round(place * (len(curve) - 1) / (_MAX_POINTS - 1))] for place in range(_MAX_POINTS)]
    return max((each["step"] for each in told), default=0), curve
