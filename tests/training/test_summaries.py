import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]
from torch.utils.tensorboard import SummaryWriter

from ostinato.errors import OstinatoError
from ostinato.music.melody import NO_EVENT, NOTE_OFF, Melody
from ostinato.training.summaries import Stretch, piano_roll, write_melodies, write_scalars


def test_a_stretch_is_a_mean_over_its_steps() -> None:
    stretch = Stretch(num_classes=2)
    # Loss, two labels of class 0, one of class 1, hits of each; then half as many.
    stretch.add(1, [0, 1], torch.tensor([3.0, 2, 1, 1, 1]), torch.tensor(2.0))
    stretch.read()
    stretch.add(2, [2], torch.tensor([1.5, 1, 0, 0, 0]), torch.tensor(4.0))
    stretch.read()
    assert stretch.totals.tolist() == [4.5, 3, 1, 1, 1]
    summary = stretch.summary(2, 0.01, stretch.totals, no_event=0, seconds_waited=0.0)
    assert (summary.step, summary.learning_rate, summary.gradient_norm) == (2, 0.01, 3.0)
    assert summary.metrics.loss == 4.5 / 4
    assert summary.metrics.accuracy == 2 / 4
    assert summary.events_per_second == pytest.approx(
        2 * summary.steps_per_second
    )  # 4 steps of melodies, 2 of training
    assert summary.share_waited == 0
    assert summary.tags()["learning_rate"] == 0.01


@pytest.mark.parametrize(("loss", "norm"), [(math.nan, 1.0), (math.inf, 1.0), (1.0, math.nan)])
def test_a_loss_that_is_no_number_names_step_and_records(loss: float, norm: float) -> None:
    stretch = Stretch(num_classes=1)
    stretch.add(41, [8], torch.tensor([1.0, 1, 1]), torch.tensor(1.0))
    stretch.add(42, [6, 0], torch.tensor([loss, 1, 1]), torch.tensor(norm))
    with pytest.raises(OstinatoError, match=r"step 42 .* records 1, 7 "):
        stretch.read()


def test_what_is_no_number_is_left_out_of_tensorboard(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as writer:
        write_scalars(writer, {"loss": 0.5, "metrics/no_event_accuracy": math.nan}, 3)
    events = EventAccumulator(str(tmp_path)).Reload()
    assert events.Tags()["scalars"] == ["loss"]
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(3, np.float32(0.5))]


def test_a_melody_as_a_picture() -> None:
    # Two bars of 2 steps; C4, rest, E4 held on. 6 pixels a step and a semitone, two semitones of margin.
    picture = piano_roll(Melody([60, NOTE_OFF, 64, NO_EVENT], steps_per_bar=2))
    assert picture.shape == (9 * 6, 4 * 6, 3)
    paper, bar = picture[0, 1].tolist(), picture[0, 0].tolist()
    blue = picture[6 * 6 + 1, 3].tolist()
    assert len({tuple(paper), tuple(bar), tuple(blue)}) == 3
    assert picture[0, 12].tolist() == bar
    row_of_e, row_of_c = 2 * 6 + 3, 6 * 6 + 3
    steps_of_e = [picture[row_of_e, 6 * step + 3].tolist() == blue for step in range(4)]
    steps_of_c = [picture[row_of_c, 6 * step + 3].tolist() == blue for step in range(4)]
    assert (steps_of_e, steps_of_c) == ([False, False, True, True], [True, False, False, False])


def test_a_melody_without_notes_is_a_picture_too() -> None:
    assert piano_roll(Melody([NO_EVENT] * 3)).shape == (5 * 6, 3 * 6, 3)


def test_tensorboard_shows_sample_melodies(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as writer:
        write_melodies(writer, [Melody([60, NO_EVENT]), Melody([62, NOTE_OFF])], 7)
    events = EventAccumulator(str(tmp_path)).Reload()
    assert events.Tags()["images"] == ["samples/1", "samples/2"]
    image = events.Images("samples/2")[0]
    assert (image.step, image.width, image.height) == (7, 12, 30)
    text = events.Tensors("samples/text_summary")[0].tensor_proto.string_val[0].decode()
    assert [line[:4] for line in text.splitlines()] == ["    ", "    "]
