from hypothesis import given
from hypothesis import strategies as st

from ostinato.config import preset
from ostinato.training.recipe import FEW_MELODIES, Recipe, num_held_out, recipe_for


@given(st.integers(2, 150), st.integers(0, 5))
def test_some_pieces_are_held_out_and_never_all(num_pieces: int, more_melodies: int) -> None:
    held_out = num_held_out(num_pieces + more_melodies, num_pieces)
    assert held_out == max(1, round(num_pieces / (5 if num_pieces + more_melodies < 20 else 10)))
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
