"""A real scheduler and two workers, processes of this machine, write what one machine's own processes write."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import golden_files
from ostinato.config import preset
from ostinato.dataset.convert import ConvertReport, convert_folder
from ostinato.dataset.records import DatasetSettings, build_dataset
from ostinato.errors import DataError, OstinatoError
from ostinato.formats.tensorflow.tfrecord import expand_paths, read_records
from ostinato.parallel import Failure, Processes, map_jobs

pytest.importorskip("distributed")
from ostinato import cluster
from ostinato.cluster import DaskCluster, dask_cluster

TUNES = Path(__file__).parents[1] / "data" / "aird" / "midi"
DASK = [sys.executable, "-W", "ignore", "-m", "dask"]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A scheduler, with two workers that are found dead once before they are blamed."""
    folder = tmp_path_factory.mktemp("cluster")
    found = folder / "scheduler.json"
    environment = {
        **os.environ,
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
        # The functions of this file, by either name that pytest may give it.
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1]), *sys.path]),
    }
    commands = [
        ["scheduler", "--host=127.0.0.1", "--port=0", "--no-dashboard", f"--scheduler-file={found}"],
        ["worker", f"--scheduler-file={found}", "--nworkers=2", "--nthreads=1", "--no-dashboard", "--host=127.0.0.1"],
    ]
    with (folder / "log").open("w") as log:
        started = [
            subprocess.Popen([*DASK, *command], env=environment, stdout=log, stderr=log, cwd=folder)
            for command in commands
        ]
        try:
            while not found.exists():
                time.sleep(0.05)
            yield json.loads(found.read_text())["address"]
        finally:
            for process in reversed(started):
                process.terminate()
                process.wait(20)


@pytest.fixture(scope="module")
def two_workers(address: str) -> Iterator[DaskCluster]:
    with dask_cluster(address) as connected:
        connected._client.wait_for_workers(2)
        yield connected


def worker_processes(connected: DaskCluster) -> list[int]:
    return list(connected._client.run(os.getpid).values())


@pytest.fixture(scope="module")
def tunes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3,001 MIDI files: ten links to each of 300 tunes, and one that is broken."""
    folder = tmp_path_factory.mktemp("tunes")
    for tune, copy in itertools.product(TUNES.glob("*.mid"), range(10)):
        (folder / f"{tune.stem}_{copy}.mid").hardlink_to(tune)
    (folder / "broken.mid").write_bytes(tune.read_bytes()[:20])
    return folder


def converted(tunes: Path, output: Path, processes: Processes, progress: Any = None) -> ConvertReport:
    return convert_folder(tunes, output, num_shards=3, processes=processes, progress=progress)


def same_shards(one: Path, other: Path) -> None:
    pairs = list(zip(expand_paths(str(one)), expand_paths(str(other)), strict=True))
    assert pairs
    assert all(ours.read_bytes() == theirs.read_bytes() for ours, theirs in pairs)
    assert any(ours.stat().st_size for ours, _ in pairs)


def test_a_killed_worker_costs_time_only(two_workers: DaskCluster, tunes: Path, tmp_path: Path) -> None:
    before = worker_processes(two_workers)
    seen = []

    def kill_one(done: int, total: int) -> None:
        seen.append(done)
        if done == 200:
            os.kill(before[0], signal.SIGKILL)

    report = converted(tunes, tmp_path / "cluster", two_workers, kill_one)
    assert report == converted(tunes, tmp_path / "machine", 1)
    assert (report.files, report.records, len(report.skipped)) == (3001, 3000, 1)
    assert seen == list(range(1, 3002))
    same_shards(tmp_path / "cluster", tmp_path / "machine")
    two_workers._client.wait_for_workers(2)
    assert before[0] not in worker_processes(two_workers)


@pytest.mark.parametrize("dedupe", [False, True])
def test_the_records_are_those_that_one_machine_writes(two_workers: DaskCluster, tmp_path: Path, dedupe: bool) -> None:
    records = [*read_records(golden_files.SMALL / "notesequences.tfrecord"), b"\xff"] * 20
    settings = DatasetSettings(
        preset("lookback_rnn").encoding, eval_ratio=0.3, dedupe=dedupe, transpositions=(-1, 0, 30)
    )
    found = []
    for processes in (two_workers, 1):
        folder = tmp_path / type(processes).__name__
        found.append(
            build_dataset(records, folder / "train", folder / "eval", settings, num_shards=2, processes=processes)
        )
    assert found[0] == found[1]
    assert found[0].failures == 20
    assert (found[0].duplicates > 20) is dedupe
    for name in ("train", "eval"):
        same_shards(tmp_path / "DaskCluster" / name, tmp_path / "int" / name)


def treacherous(number: int) -> int:
    """Crashes its worker at 17, hangs at 23, raises at 29, and else squares."""
    if number == 17:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 23:
        time.sleep(1000)
    if number == 29:
        raise ValueError("twenty-nine")
    return number * number


def test_a_job_that_crashes_its_workers_is_found_and_costs_itself_only(two_workers: DaskCluster) -> None:
    results = list(map_jobs(treacherous, range(60), processes=two_workers, timeout_seconds=1))
    reason = "crashed its worker process or took longer than 1 s, several times"
    assert results == [
        {17: Failure(17, reason), 23: Failure(23, reason), 29: Failure(29, "ValueError: twenty-nine")}.get(
            number, number * number
        )
        for number in range(60)
    ]


def nap(number: int) -> int:
    time.sleep(0.05)
    return number


def test_jobs_are_taken_a_few_batches_ahead_only(two_workers: DaskCluster) -> None:
    taken = itertools.count()
    results = map_jobs(nap, taken, processes=two_workers)
    assert list(itertools.islice(results, 10)) == list(range(10))
    results.close()
    assert next(taken) < 100


def test_no_jobs(two_workers: DaskCluster) -> None:
    assert list(map_jobs(abs, [], processes=two_workers)) == []


def test_without_a_worker_it_waits_and_says_so(
    two_workers: DaskCluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cluster, "NEWS_SECONDS", 0.02)
    monkeypatch.setattr(two_workers, "_threads", lambda: 0)
    assert list(map_jobs(nap, range(3), processes=two_workers)) == [0, 1, 2]
    assert "has no worker; the work goes on when there is one" in caplog.text


def test_workers_with_another_version_are_refused(two_workers: DaskCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ostinato.__version__", "9.9")
    with pytest.raises(
        OstinatoError, match=r"the workers failed \(RuntimeError: a worker has Ostinato 0.*need .* 9\.9$"
    ):
        list(map_jobs(abs, [-1], processes=two_workers))


def test_where_no_scheduler_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.3)
    with (
        pytest.raises(DataError, match=r"tcp://127\.0\.0\.1:1: no Dask scheduler answers"),
        dask_cluster("tcp://127.0.0.1:1"),
    ):
        pass
