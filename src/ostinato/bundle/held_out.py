"""A run's loss on melodies it did not learn from, out of what its evaluation wrote for TensorBoard."""

import os
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from ostinato.formats.tensorflow.tensorflow_pb2 import Event
from ostinato.formats.tensorflow.tfrecord import read_records


def held_out_loss(run_dir: str | os.PathLike[str], step: int) -> dict[str, Any] | None:
    """The evaluation of a checkpoint, or the last one before it.

    Args:
        run_dir: the run; its evaluation writes to `run_dir/eval`, Magenta's too.
        step: of the checkpoint.

    Returns:
        `loss`, in nats a step to 4 digits, and the `step` it was measured at; None if there is none.
    """
    losses: dict[int, float] = {}
    for path in sorted((Path(run_dir) / "eval").glob("events.out.tfevents.*")):
        # The evaluation may be at work on its file: its last record may not be whole.
        for record in read_records(path, skip_corrupt=True):
            try:
                event = Event.FromString(record)
            except DecodeError:
                continue
            losses.update((event.step, value.simple_value) for value in event.summary.value if value.tag == "loss")
    measured = [at for at in losses if at <= step]
    return {"loss": round(losses[max(measured)], 4), "step": max(measured)} if measured else None
