"""The models of a studio."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from ostinato.bundle import load_bundle
from ostinato.errors import DataError, FormatError, SettingsError
from ostinato.shipped import BEST_MODEL
from ostinato.studio import models as module
from ostinato.studio.models import Models
from studio_parts import small_bundles, small_models


def test_the_cards_tell_what_there_is(tmp_path: Path) -> None:
    assert msgspec.to_builtins(small_models(tmp_path).cards()) == [
        {
            "name": "plain",
            "bits_per_step": 1.4427,
            "description": "a plain model",
            "attention": False,
            "foretells_end": False,
            "min_pitch": 48,
            "max_pitch": 83,
            "default": True,
        },
        {
            "name": "watchful",
            "bits_per_step": None,
            "description": "a watchful model",
            "attention": True,
            "foretells_end": False,
            "min_pitch": 48,
            "max_pitch": 83,
            "default": False,
        },
        {
            "name": "finite",
            "bits_per_step": None,
            "description": "a finite model",
            "attention": False,
            "foretells_end": True,
            "min_pitch": 48,
            "max_pitch": 83,
            "default": False,
        },
    ]


def test_the_shipped_models_come_first_or_after_what_is_given(tmp_path: Path) -> None:
    assert Models.shipped_and().default == BEST_MODEL
    plain = small_bundles(tmp_path)["plain"]
    same_name = tmp_path / "other" / f"{BEST_MODEL}.mag"
    same_name.parent.mkdir()
    same_name.write_bytes(plain.read_bytes())
    models = Models.shipped_and([plain, same_name, plain])
    names = [card.name for card in models.cards()]
    assert models.default == "plain"
    assert names[:4] == ["plain", BEST_MODEL, "plain-2", f"{BEST_MODEL}-2"]


def test_a_wrong_one_is_known_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such bundle"):
        Models.shipped_and([tmp_path / "none.mag"])
    (tmp_path / "wrong.mag").write_bytes(b"wrong")
    with pytest.raises(FormatError, match=r"wrong\.mag"):
        Models.shipped_and([tmp_path / "wrong.mag"])


def test_none_other_can_be_had(tmp_path: Path) -> None:
    models = small_models(tmp_path)
    assert models.model() is models.model("plain")
    with pytest.raises(SettingsError, match="no model is called 'other'; there are plain, watchful, finite"):
        models.model("other")


def test_each_is_loaded_once_whoever_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = small_models(tmp_path)
    loaded: list[Path] = []
    all_there = threading.Barrier(4)

    def load(path: Path) -> object:
        loaded.append(path)
        return load_bundle(path)

    def ask(_: int) -> object:
        all_there.wait(5)
        return models.model("watchful")

    monkeypatch.setattr(module, "load_bundle", load)
    with ThreadPoolExecutor(4) as threads:
        assert len(set(map(id, threads.map(ask, range(4))))) == 1
    assert loaded == [tmp_path / "watchful.mag"]
