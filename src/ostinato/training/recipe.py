"""The recipe for learning somebody's own tunes: how many to hold out, and how to learn the others.

These are the choices that you would otherwise make by hand between `ostinato
convert`, `dataset` and `train`.
"""

from dataclasses import dataclass

from ostinato.config import Config

FEW_MELODIES = 20
"""With fewer, a model is changed carefully."""
_SOME_MELODIES = 200
MANY_MELODIES = 2000
"""With this many or more, a model that starts from random values learns enough from them alone."""


def num_held_out(num_melodies: int, num_pieces: int) -> int:
    """How many pieces to measure on: a tenth, or a fifth if there are few, and at least one.

    Args:
        num_melodies: in all pieces.
        num_pieces: pieces with a melody, at least two.
    """
    return max(1, round(num_pieces / (5 if num_melodies < FEW_MELODIES else 10)))


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model learns somebody's tunes.

    Attributes:
        config: its settings.
        eval_every: steps between two evaluations.
        patience: how many evaluations in a row without improvement end the training.
    """

    config: Config
    eval_every: int
    patience: int


def recipe_for(config: Config, num_melodies: int, *, from_model: bool) -> Recipe:
    """How to learn this many melodies.

    After the warm-up the learning rate stays the same, and the model is an average
    of the weights. That does the same as a falling rate, but at any time at which
    training may end. The loss is of events, so the measure on the held-out
    melodies is their bits. The fewer melodies, the smaller the steps and the
    batches.

    Args:
        config: what the model is.
        num_melodies: to learn from.
        from_model: whether the model has learned other melodies before.
    """
    # Trials on marches and chorales, which the built-in models have not learned, chose the numbers. An average of 0.98
    # spans some 50 steps, one of 0.95 20 and one of 0.9 10: few melodies are learned in few steps, and the warm-up and
    # the average must be shorter than that. From random values 0.003 did better than 0.001
    # (docs/explanation/experiments.md).
    if not from_model:
        rate, warmup_steps, averaging, batch_size, patience = 0.003, 100, 0.98, 32, 10
    elif num_melodies < FEW_MELODIES:
        rate, warmup_steps, averaging, batch_size, patience = 0.0003, 5, 0.9, 4, 6
    elif num_melodies < _SOME_MELODIES:
        rate, warmup_steps, averaging, batch_size, patience = 0.001, 20, 0.95, 8, 8
    else:
        rate, warmup_steps, averaging, batch_size, patience = 0.002, 20, 0.98, 16, 8
    learned = config.with_hparams(
        {
            "batch_size": batch_size,
            "initial_learning_rate": rate,
            "warmup_steps": warmup_steps,
            "lr_schedule": "staircase",
            "decay_rate": 1.0,
            "weight_averaging": averaging,
            "loss": "events",
        }
    )
    # Once in an epoch; with few batches less often, or the time would go into evaluating.
    batches = -(-num_melodies // batch_size)
    return Recipe(learned, eval_every=min(max(batches, 5), 100), patience=patience)
