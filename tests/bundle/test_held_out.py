from pathlib import Path

import pytest

from ostinato.bundle.held_out import held_out_loss
from ostinato.formats.tensorflow import tensorflow_pb2 as pb
from ostinato.formats.tensorflow.tfrecord import write_records


def event(step: int, tag: str, value: float) -> bytes:
    return pb.Event(step=step, summary={"value": [{"tag": tag, "simple_value": value}]}).SerializeToString()


def write(run_dir: Path, name: str, events: list[bytes]) -> None:
    # TensorBoard's files begin with an event that holds their version and no summary.
    write_records(run_dir / "eval" / f"events.out.tfevents.{name}", [b"\x1a\x0dbrain.Event:2", *events])


def test_the_loss_at_a_step_or_before_it(tmp_path: Path) -> None:
    write(tmp_path, "1", [event(10, "loss", 2.5), event(10, "metrics/accuracy", 0.25), event(20, "loss", 1.25)])
    write(tmp_path, "2", [event(30, "loss", 0.123456)])
    assert held_out_loss(tmp_path, 20) == {"loss": 1.25, "step": 20}
    assert held_out_loss(tmp_path, 29) == {"loss": 1.25, "step": 20}
    assert held_out_loss(tmp_path, 99) == {"loss": 0.1235, "step": 30}
    assert held_out_loss(tmp_path, 9) is None


def test_a_run_that_was_not_evaluated(tmp_path: Path) -> None:
    assert held_out_loss(tmp_path, 20) is None
    write(tmp_path, "1", [])
    assert held_out_loss(tmp_path, 20) is None


def test_a_file_that_is_being_written(tmp_path: Path) -> None:
    write(tmp_path, "1", [event(10, "loss", 2.5), b"\xff", event(20, "loss", 1.5)])
    path = tmp_path / "eval" / "events.out.tfevents.1"
    path.write_bytes(path.read_bytes()[:-3])
    assert held_out_loss(tmp_path, 20) == {"loss": 2.5, "step": 10}


def test_what_pytorch_writes(tmp_path: Path) -> None:
    tensorboard = pytest.importorskip("torch.utils.tensorboard")
    with tensorboard.SummaryWriter(str(tmp_path / "eval")) as writer:
        writer.add_scalar("loss", 0.75, 40)
    assert held_out_loss(tmp_path, 40) == {"loss": 0.75, "step": 40}
