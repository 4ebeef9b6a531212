from pathlib import Path

import pytest

import ostinato
from ostinato.config import preset
from ostinato.errors import SettingsError
from ostinato.shipped import SHIPPED_MODELS, load_shipped, shipped_path


@pytest.mark.parametrize("name", SHIPPED_MODELS)
def test_a_shipped_model_is_its_preset_and_has_a_card(name: str) -> None:
    bundle = load_shipped(name)
    assert bundle.config.name == name
    assert bundle.config.encoding == preset(name).encoding
    card = bundle.provenance["card"]
    assert {"data", "split", "settings", "steps", "wall_seconds", "seed", "held_out", "license", "credits"} <= set(card)
    assert set(card["held_out"]) == {"validation", "test"}


def test_the_classic_models_have_the_classic_layers() -> None:
    assert [load_shipped(name).config.hparams.rnn_layer_sizes for name in SHIPPED_MODELS[1:]] == [(128, 128)] * 4
    assert load_shipped("attention_rnn").config.hparams.attn_length == 40


def test_together_they_are_small() -> None:
    assert sum(shipped_path(name).stat().st_size for name in SHIPPED_MODELS) < 10e6


def test_load_knows_them_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ostinato.load().bundle.config.name == "ostinato"
    assert ostinato.load("basic_rnn").bundle.config.name == "basic_rnn"
    # What stands at the path comes first.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "basic_rnn").write_bytes(shipped_path("mono_rnn").read_bytes())
    assert ostinato.load("basic_rnn").bundle.config.name == "mono_rnn"


def test_a_name_that_is_none() -> None:
    with pytest.raises(SettingsError, match="no model called 'drums'"):
        load_shipped("drums")
