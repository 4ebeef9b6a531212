import os

import pytest
import torch

from ostinato.errors import SettingsError
from ostinato.training.processes import Processes

NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")


def test_alone_without_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    alone = Processes.from_environment()
    assert alone == Processes(rank=0, count=1, local_rank=0, local_count=1)
    with alone.joined(torch.device("cpu")):
        assert alone.broadcast(b"abc") == b"abc"
        assert alone.in_any(True)
        assert not alone.in_any(False)
        assert alone.summed(torch.tensor([1.0, 2.0])).tolist() == [1.0, 2.0]


def test_what_torchrun_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(NAMES, ("5", "8", "1", "4"), strict=True):
        monkeypatch.setenv(name, value)
    assert Processes.from_environment() == Processes(rank=5, count=8, local_rank=1, local_count=4)


@pytest.mark.parametrize("wrong", [{"WORLD_SIZE": "2"}, dict.fromkeys(NAMES, "two")])
def test_half_an_environment_is_refused(wrong: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match="torchrun"):
        Processes.from_environment()


def test_processes_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    Processes().share_cores()
    assert threads == []  # alone, PyTorch decides
    Processes(count=1000, local_count=1000).share_cores()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    Processes(count=2, local_count=2).share_cores()
    assert threads == [1, max(1, cores // 2)]
