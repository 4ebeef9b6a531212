import os
import subprocess
import sys

import pytest
import torch

from ostinato import memory
from ostinato.config import Hparams, preset
from ostinato.errors import OstinatoError, SettingsError
from ostinato.training.hardware import (
    MOST_THREADS,
    Processes,
    in_parts,
    is_lost_connection,
    out_of_memory_explained,
    pick_device,
    require_memory_to_train,
    threads_for,
)

CPU = torch.device("cpu")
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


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert pick_device("auto", Processes()) == pick_device("cpu", Processes()) == CPU
    for name in ("cuda", "mps", "tpu"):
        with pytest.raises(SettingsError, match=f"--device={name}"):
            pick_device(name, Processes())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device("auto", Processes(local_rank=1, local_count=2)) == torch.device("cuda", 1)
    with pytest.raises(SettingsError, match="3 processes on this machine, but 2 GPUs"):
        pick_device("auto", Processes(local_rank=2, local_count=3))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    ],
)
def test_out_of_memory_says_what_to_lower(error: Exception) -> None:
    with (
        pytest.raises(
            OstinatoError, match=r"out of memory on cpu: lower the hparam batch_size, now 128, .*\[128, 128\]"
        ),
        out_of_memory_explained(Hparams(), CPU),
    ):
        raise error


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes differ"), out_of_memory_explained(Hparams(), CPU):
        raise RuntimeError("shapes differ")


def test_a_thread_of_ours_does_its_arithmetic_alone() -> None:
    before = torch.get_num_threads()
    assert in_parts(lambda first, last: torch.get_num_threads(), 2, 2) == [1, 1]
    assert torch.get_num_threads() == before


def test_parts_cover_everything_once_and_in_order() -> None:
    assert in_parts(lambda first, last: (first, last), 10, 3) == [(0, 3), (3, 6), (6, 10)]


def test_a_thread_builds_no_graph() -> None:
    one = torch.ones(1, requires_grad=True)
    assert in_parts(lambda first, last: (one + 1).requires_grad, 2, 2) == [False, False]


def test_an_error_of_a_part_is_raised() -> None:
    def fail(first: int, last: int) -> None:
        if first:
            raise ValueError(first)

    with pytest.raises(ValueError, match="5"):
        in_parts(fail, 10, 2)


def test_small_batches_are_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.get_num_threads", lambda: 4)
    assert [threads_for(batch) for batch in (1, 15, 16, 31, 32, 128)] == [1, 1, 2, 3, 4, 4]
    monkeypatch.setattr("torch.get_num_threads", lambda: 64)
    assert threads_for(128) == MOST_THREADS == 8


def test_a_model_that_memory_does_not_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # Kernels [121 + 2000, 8000] and [2000, 40] with their biases are 17,056,040 weights, of 40 bytes each in training.
    config = preset("lookback_rnn").with_hparams({"rnn_layer_sizes": [2000]})
    monkeypatch.setattr(memory, "free_bytes", lambda: 10 * 17_056_040)
    with pytest.raises(SettingsError) as refused:
        require_memory_to_train(config, 100, 200, Processes())
    assert str(refused.value) == (
        "a model of 17,056,040 weights would take about 0.7 GB of memory, but only 0.2 GB is free; "
        "rnn_layer_sizes can be at most 1,000"
    )
    # Two processes of one machine hold it twice.
    monkeypatch.setattr(memory, "free_bytes", lambda: 60 * 17_056_040)
    require_memory_to_train(config, 1, 2, Processes())
    with pytest.raises(SettingsError, match="rnn_layer_sizes can be at most"):
        require_memory_to_train(config, 1, 2, Processes(0, 2, 0, 2))


@pytest.mark.parametrize(
    ("hparams", "message"),
    [
        ({"batch_size": 100_000}, r"a batch of 50,000 melodies of up to 500 steps would .*; batch_size can be at most"),
        ({"attn_length": 10**9}, r"attention to 1,000,000,000 steps would .*; attn_length can be at most"),
        ({"rnn_layer_sizes": [10**12]}, r"weights would take about .*; rnn_layer_sizes can be at most \d"),
    ],
)
def test_what_is_too_large_for_a_step_is_named(
    hparams: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda: 8_000_000_000)
    require_memory_to_train(preset("attention_rnn"), 50_000, 500, Processes())
    with pytest.raises(SettingsError, match=message):
        require_memory_to_train(preset("attention_rnn").with_hparams(hparams), 50_000, 500, Processes())


def test_what_gloo_says_of_a_lost_process() -> None:
    lost = RuntimeError("[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:537] Connection closed by peer [::1]:46")
    assert is_lost_connection(lost)
    assert is_lost_connection(RuntimeError("Read error [127.0.0.1]:2: Connection reset by peer"))
    assert not is_lost_connection(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_one_of_several_processes_leaves_at_once() -> None:
    program = (
        "import atexit; from ostinato.training.hardware import Processes; atexit.register(print, 'at the usual end'); "
        "print('all is written'); Processes(count={}).leave(7)"
    )
    alone, one_of_two = (
        subprocess.run([sys.executable, "-c", program.format(count)], capture_output=True, text=True, check=False)
        for count in (1, 2)
    )
    assert (alone.returncode, alone.stdout) == (0, "all is written\nat the usual end\n")
    assert (one_of_two.returncode, one_of_two.stdout) == (7, "all is written\n")
