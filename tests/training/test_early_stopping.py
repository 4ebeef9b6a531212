from pathlib import Path

import numpy as np
import pytest
import torch

import tiny_examples
from ostinato.config import preset
from ostinato.training.batches import Position
from ostinato.training.checkpoints import Checkpoint
from ostinato.training.early_stopping import Best, EarlyStopping
from ostinato.training.learning import Learner
from ostinato.training.network import MelodyNetwork
from ostinato.training.processes import Processes

pytestmark = pytest.mark.usefixtures("one_thread")

CONFIG = preset("basic_rnn").with_hparams({"batch_size": 4, "rnn_layer_sizes": (4,)})


def learner(step: int, *, certain: bool) -> Learner:
    """A job after some steps: certain that no event follows, or guessing."""
    arrays = MelodyNetwork(CONFIG, generator=torch.Generator().manual_seed(0)).arrays()
    if certain:
        arrays["output.bias"][0] = 20
    zeros = {name: np.zeros_like(array) for name, array in arrays.items()}
    start = Checkpoint(CONFIG, arrays, zeros, zeros, step, Position(), seed=0)
    return Learner(start, torch.device("cpu"), Processes())


def watch(folder: Path, *, count: int = 5, patience: int = 2, first_step: int = 0) -> EarlyStopping:
    examples = tiny_examples.examples(folder, CONFIG, count)
    return EarlyStopping(folder / "run", examples, first_step=first_step, eval_every=10, patience=patience)


def test_patience_counts_the_evaluations_since_the_best(tmp_path: Path) -> None:
    watched = watch(tmp_path)
    assert not watched.is_over(1000)  # nothing is known yet
    losses = [watched.evaluate(learner(step, certain=step != 10), {}).loss for step in (0, 10, 20, 30)]
    assert losses[1] < losses[0] == losses[2]
    assert watched.best == Best(round(losses[1], 4), 10)
    assert watched.last_step == 30
    assert [watched.is_over(step) for step in (10, 20, 29, 30)] == [False, False, False, True]
    watched.close()
    endless = watch(tmp_path, patience=0)
    assert endless.best == watched.best
    assert not endless.is_over(1000)
    endless.close()


def test_an_equal_loss_is_no_better(tmp_path: Path) -> None:
    watched = watch(tmp_path)
    for step in (0, 10):
        watched.evaluate(learner(step, certain=False), {})
    assert watched.best is not None
    assert watched.best.step == 0
    watched.close()


def test_what_was_found_is_kept_for_the_same_melodies(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = watch(tmp_path)
    first.evaluate(learner(0, certain=False), {"seconds": 1.5})
    first.close()
    same = watch(tmp_path, first_step=7)
    assert (same.best, same.last_step) == (first.best, 7)
    same.close()
    assert not caplog.text
    other = watch(tmp_path, count=6)
    assert other.best is None
    assert "other held-out data" in caplog.text
    other.close()
