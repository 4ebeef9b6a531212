import dataclasses
import json
from typing import Any

import pytest

from ostinato.config import PRESETS, Config, Hparams, parse_hparams, preset
from ostinato.encodings import BarEncoding, KeyEncoding, LookbackEncoding, OneHotEncoding
from ostinato.errors import FormatError, SettingsError


@pytest.mark.parametrize(
    ("name", "encoding", "input_size", "num_classes", "attn_length", "clip_norm"),
    [
        ("basic_rnn", OneHotEncoding, 38, 38, 0, 5.0),
        ("mono_rnn", OneHotEncoding, 130, 130, 0, 5.0),
        ("lookback_rnn", LookbackEncoding, 121, 40, 0, 5.0),
        ("attention_rnn", KeyEncoding, 74, 40, 40, 3.0),
    ],
)
def test_the_presets_are_magentas(
    name: str, encoding: type, input_size: int, num_classes: int, attn_length: int, clip_norm: float
) -> None:
    config = preset(name)
    assert isinstance(config.encoding, encoding)
    assert (config.encoding.input_size, config.encoding.num_classes) == (input_size, num_classes)
    hparams = config.hparams
    assert (hparams.batch_size, hparams.rnn_layer_sizes, hparams.dropout_keep_prob) == (128, (128, 128), 0.5)
    assert (hparams.attn_length, hparams.clip_norm, hparams.initial_learning_rate) == (attn_length, clip_norm, 0.001)
    assert (hparams.decay_steps, hparams.decay_rate, hparams.residual_connections) == (1000, 0.97, False)
    # What Magenta does not have is off.
    assert (hparams.warmup_steps, hparams.lr_schedule, hparams.weight_decay) == (0, "staircase", 0.0)
    assert hparams.weight_averaging == 0.0


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="no config is called 'drums'; known are basic_rnn, mono_rnn"):
        preset("drums")


@pytest.mark.parametrize(
    "text",
    [
        "{'batch_size':64,'rnn_layer_sizes':[64,64]}",
        '{"batch_size": 64, "rnn_layer_sizes": [64, 64]}',
        "batch_size=64,rnn_layer_sizes=[64,64]",
        " batch_size = 64, rnn_layer_sizes = [64, 64] ",
    ],
)
def test_hparams_are_read_either_way(text: str) -> None:
    assert parse_hparams(text) == {"batch_size": 64, "rnn_layer_sizes": [64, 64]}
    assert preset("lookback_rnn").with_hparams(parse_hparams(text)).hparams.rnn_layer_sizes == (64, 64)


def test_hparams_know_magentas_words() -> None:
    assert parse_hparams("learning_rate=0.01,residual_connections=true,attn_scope=first_layer") == {
        "initial_learning_rate": 0.01,
        "residual_connections": True,
        "attn_scope": "first_layer",
    }
    assert parse_hparams("") == {}
    assert parse_hparams("{}") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bach_size=64", "no hparam is called 'bach_size'; did you mean batch_size?"),
        ("{64: 1}", "no hparam is called 64"),
        ("batch_size=64,batch_size=32", "batch_size is given twice"),
        ("{'batch_size': 64, 'batch_size': 32}", "batch_size is given twice"),
        ("learning_rate=1,initial_learning_rate=1", "initial_learning_rate is given twice"),
        ("batch_size", "cannot be read"),
        ("batch_size=__import__('os').getcwd()", "cannot be read"),
        ("{**{}}", "no hparam is called None"),
        ("**{'batch_size': 1}", "no hparam is called None"),
        ("{'batch_size': 64", "cannot be read"),
        ("batch_size=64)+dict(", "cannot be read"),
        ("(" * 5000, "cannot be read"),
        ("batch_size=\0", "cannot be read"),
    ],
)
def test_unreadable_hparams_say_how_to_write_them(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_hparams(text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": "64"}, "batch_size must be an integer, not '64'"),
        ({"batch_size": True}, "batch_size must be an integer, not True"),
        ({"batch_size": 0}, "batch_size must be at least 1, not 0"),
        ({"rnn_layer_sizes": 64}, "rnn_layer_sizes must be a list of integers, not 64"),
        ({"rnn_layer_sizes": []}, r"rnn_layer_sizes must be a list of sizes of at least 1, not \[\]"),
        ({"rnn_layer_sizes": [64, 0.5]}, "rnn_layer_sizes must be a list of integers"),
        ({"dropout_keep_prob": 0}, "dropout_keep_prob must be above 0 and at most 1"),
        ({"dropout_keep_prob": float("nan")}, "dropout_keep_prob must be a finite number"),
        ({"clip_norm": 10**400}, "clip_norm must be a finite number"),
        ({"attn_scope": "all"}, "attn_scope must be one of stack, first_layer"),
        ({"clip_norm": -1}, "clip_norm must be above 0"),
        ({"warmup_steps": -1}, "warmup_steps must be at least 0, not -1"),
        ({"warmup_steps": 0.5}, "warmup_steps must be an integer, not 0.5"),
        ({"lr_schedule": "linear"}, "lr_schedule must be one of staircase, cosine, not 'linear'"),
        ({"weight_decay": -0.1}, "weight_decay must be at least 0, not -0.1"),
        ({"weight_averaging": 1.0}, "weight_averaging must be at least 0 and below 1, not 1.0"),
        ({"residual_connections": 1}, "residual_connections must be True or False"),
    ],
)
def test_hparams_that_cannot_be_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        preset("basic_rnn").with_hparams(changes)


def test_an_integer_serves_as_a_number() -> None:
    assert Hparams(clip_norm=3).clip_norm == 3.0
    assert type(Hparams(clip_norm=3).clip_norm) is float


def test_our_own_preset_looks_back_in_bars() -> None:
    encoding = preset("ostinato").encoding
    # 38 events, the same 8 lookbacks ahead, 9 bits, 8 repeats; 32 places, 32 lengths, 36 pitches or none, 12 keys; 8
    # lengths of a beat; runs and likeness of each lookback, 8 longest runs and what comes after it.
    assert encoding.input_size == 38 * 9 + 9 + 8 + 32 + 32 + 37 + 12 + 8 + 8 * 9 + 8 + 38
    assert encoding.num_classes == 38 + 8 + 1  # the end
    assert preset("ostinato").hparams.loss == "events"


def test_lookback_distances_are_written_as_steps_or_bars() -> None:
    classic = preset("attention_rnn")
    assert classic.with_lookback_distances("16,32") == classic
    assert isinstance(classic.encoding, KeyEncoding)
    in_bars = classic.with_lookback_distances("bars").encoding
    assert in_bars == dataclasses.replace(classic.encoding, lookback_distances="bars")
    with pytest.raises(SettingsError, match="the encoding of basic_rnn has no lookbacks"):
        preset("basic_rnn").with_lookback_distances("bars")
    with pytest.raises(SettingsError, match='such as "bars" for one and two'):
        classic.with_lookback_distances("16,x")


def test_the_bar_encodings_lookback_distances_are_bars() -> None:
    ours = preset("ostinato")
    encoding = BarEncoding(tells_beat=True, tells_matches=True, foretells_end=True)
    assert ours.encoding == encoding
    assert ours.with_lookback_distances("1,2,3,4,6,8,12,16 bars") == ours
    one_and_two = ours.with_lookback_distances("bars").encoding
    assert one_and_two == dataclasses.replace(encoding, lookback_distances="bars")
    # Six distances fewer: of each the event ahead (38), the repeat (1), its runs (5), its likeness (4), and its class.
    assert ours.encoding.input_size - one_and_two.input_size == 6 * (38 + 1 + 5 + 4)
    assert ours.encoding.num_classes - one_and_two.num_classes == 6
    with pytest.raises(SettingsError, match="--lookback_distances=16,32: the encoding of ostinato looks back in bars"):
        ours.with_lookback_distances("16,32")


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_settings_survive_json(name: str) -> None:
    config = preset(name).with_hparams({"rnn_layer_sizes": [8, 4], "residual_connections": True})
    assert Config.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_settings_from_before_an_hparam_was_there_have_its_default() -> None:
    settings = preset("lookback_rnn").to_json()
    for later in ("warmup_steps", "lr_schedule", "weight_decay", "weight_averaging"):
        del settings["hparams"][later]
    assert Config.from_json(settings) == preset("lookback_rnn")


def test_settings_that_are_none_are_refused() -> None:
    good = preset("lookback_rnn").to_json()
    for bad in (
        None,
        {},
        {**good, "name": 3},
        {**good, "encoding": {"kind": "drums"}},
        {**good, "encoding": {**good["encoding"], "min_pitch": 200}},
        {**good, "hparams": {**good["hparams"], "batch_size": "many"}},
        {**good, "hparams": {**good["hparams"], "unknown": 1}},
    ):
        with pytest.raises(FormatError):
            Config.from_json(bad)


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        preset("basic_rnn").name = "mine"  # type: ignore[misc]
