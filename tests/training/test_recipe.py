import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny_examples
from ostinato.config import preset
from ostinato.dataset.build import DatasetSettings, build_dataset
from ostinato.dataset.split import is_for_eval
from ostinato.errors import DataError
from ostinato.music.extract import ExtractionSettings
from ostinato.music.melody import Melody
from ostinato.music.transpose import transpose
from ostinato.training.recipe import FEW_MELODIES, Recipe, Tunes, eval_ratio_for, melodies_of, read_tunes, recipe_for

SHORT = ExtractionSettings(min_bars=1, min_unique_pitches=3)


def records(melodies: Sequence[Melody]) -> list[bytes]:
    made = []
    for number, melody in enumerate(melodies):
        sequence = melody.to_note_sequence()
        sequence.id = f"/id/midi/tunes/{number}"
        made.append(sequence.SerializeToString())
    return made


def read(melodies: Sequence[Melody], extraction: ExtractionSettings = SHORT) -> Tunes:
    return read_tunes(records(melodies), extraction, processes=1)


def test_what_tunes_give() -> None:
    waltz = dataclasses.replace(tiny_examples.melodies(1, seed=9)[0], steps_per_bar=12)
    tunes = tiny_examples.melodies(4)
    found = read([*tunes, waltz, transpose(tunes[0], 3), Melody([60] * 16)])
    assert (found.num_sequences, found.num_melodies, found.steps_per_bar) == (7, 5, 16)
    assert found.pieces == tuple(f"/id/midi/tunes/{number}" for number in range(5))
    assert found.left_out == (
        "1 melodies of fewer than 3 different pitch classes (--min_unique_pitches)",
        "1 melodies that equal an earlier one up to transposition",
    )


def test_bytes_that_are_no_tune_are_counted() -> None:
    found = read_tunes([*records(tiny_examples.melodies(2)), b"\xff"], SHORT, processes=1)
    assert (found.num_sequences, found.num_melodies) == (3, 2)
    assert found.left_out == ("1 NoteSequences that cannot be read",)


def test_one_piece_is_not_enough() -> None:
    with pytest.raises(DataError, match=r"1 melodies in 1 of 2 pieces.*left out: 1 melodies shorter than 2 bars"):
        read([tiny_examples.melodies(1)[0], Melody([60, 62, 64, 65, 67])], ExtractionSettings(min_bars=2))


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 150), st.integers(0, 5), st.integers(0, 2**32))
def test_so_many_pieces_are_held_out_and_never_all(num_pieces: int, more_melodies: int, seed: int) -> None:
    tunes = Tunes(num_pieces, tuple(map(str, range(num_pieces))), num_pieces + more_melodies, 16, ())
    held_out = sum(is_for_eval(piece, eval_ratio_for(tunes, seed), seed) for piece in tunes.pieces)
    share = 5 if num_pieces + more_melodies < 20 else 10
    assert held_out == max(1, round(num_pieces / share))
    assert held_out < num_pieces


def test_the_fewer_melodies_the_smaller_the_steps() -> None:
    config = preset("lookback_rnn")
    recipes = [recipe_for(config, count, from_model=True) for count in (FEW_MELODIES - 1, FEW_MELODIES, 1000)]
    recipes.append(recipe_for(config, 1000, from_model=False))
    rates = [recipe.config.hparams.initial_learning_rate for recipe in recipes]
    assert rates == sorted(set(rates))
    for recipe in recipes:
        hparams = recipe.config.hparams
        assert (recipe.config.encoding, hparams.rnn_layer_sizes) == (config.encoding, (128, 128))
        # A rate that stays, and an average instead.
        assert (hparams.lr_schedule, hparams.decay_rate) == ("staircase", 1.0)
        assert 0 < hparams.weight_averaging < 1
        assert hparams.loss == "events"
        assert 5 <= recipe.eval_every <= 100
        assert recipe.patience > 0
    assert recipes[3] == Recipe(recipes[3].config, eval_every=32, patience=10)  # 1,000 melodies are 32 batches


def test_melodies_come_back_from_their_records(tmp_path: Path) -> None:
    tunes = tiny_examples.melodies(6)
    plan = DatasetSettings(preset("mono_rnn").encoding, SHORT, eval_ratio=0)
    build_dataset(records(tunes), tmp_path / "training.tfrecord", None, plan, processes=1)
    found = melodies_of(tmp_path / "training.tfrecord")
    assert [melody.steps_per_bar for melody in found] == [16] * 6
    for melody, tune in zip(found, tunes, strict=True):
        # Silence at the end is no part of a melody that was found.
        assert tune.events[: len(melody) - 1] == melody.events[:-1]
