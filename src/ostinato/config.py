"""Settings of a model: its encoding and its hyperparameters. All frozen, checked when made.

Four presets are Magenta's configs of the same names; `ostinato` is ours, and `chord_rnn` is the same with chords.
"""

import ast
import dataclasses
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, get_args

from ostinato.encodings import BarEncoding, Encoding, KeyEncoding, LookbackEncoding, OneHotEncoding
from ostinato.encodings.repeats import LookbackDistances, RepeatEncoding
from ostinato.errors import FormatError, SettingsError, did_you_mean

AttentionScope = Literal["stack", "first_layer"]
LearningRateSchedule = Literal["staircase", "cosine"]
Loss = Literal["classes", "events"]

# The encodings by the name they carry in a settings file.
_ENCODINGS = {"one_hot": OneHotEncoding, "lookback": LookbackEncoding, "key": KeyEncoding, "bar": BarEncoding}
# Magenta's names for what we call otherwise.
_ALIASES = {"learning_rate": "initial_learning_rate"}


@dataclass(frozen=True, slots=True)
class Hparams:
    """Hyperparameters by Magenta's names.

    Attributes:
        batch_size: melodies a training step.
        rnn_layer_sizes: cells of each LSTM layer, from the input up.
        dropout_keep_prob: share of each layer's outputs that training keeps, above 0 to 1.
        chord_keep_prob: share of the melodies whose chords training shows, 0 to 1, drawn anew in each epoch; of the
            others it hides them, so that the model learns to do without. Only of encodings that tell of chords.
        attn_length: rows of the attention's memory; 0 is no attention.
        attn_scope: "stack", attention around all layers (2016), or "first_layer" (later Magenta).
        clip_norm: global norm that the gradients are cut to.
        initial_learning_rate: Adam's, before it decays (alias: learning_rate).
        warmup_steps: steps over which the learning rate first rises, in a line from 0 to the initial one.
        lr_schedule: what follows the warm-up. "staircase" multiplies the learning rate by decay_rate every
            decay_steps. "cosine" lowers it over decay_steps, along half a cosine, to decay_rate of the initial one,
            where it stays.
        decay_steps, decay_rate: of the schedule.
        weight_decay: share of every kernel, times the learning rate, that each step takes off it, as AdamW does;
            biases and the attention's score keep all.
        weight_averaging: how much of the weights' running average each step keeps, such as 0.998; the average is what
            is played and evaluated, while training goes on from the weights themselves. 0 averages nothing.
        loss: what the cross entropy is of. "classes" is Magenta's: where an event is a repeat, only the class of the
            furthest one is right. With "events" every class that stands for the event is: their probabilities are
            added, and the loss is that of the event.
        skip_first_n_losses: first steps of each melody that do not count in the loss.
        residual_connections: add each layer's input to its output.
    """

    batch_size: int = 128
    rnn_layer_sizes: tuple[int, ...] = (128, 128)
    dropout_keep_prob: float = 0.5
    chord_keep_prob: float = 1.0
    attn_length: int = 0
    attn_scope: AttentionScope = "stack"
    clip_norm: float = 5.0
    initial_learning_rate: float = 0.001
    warmup_steps: int = 0
    lr_schedule: LearningRateSchedule = "staircase"
    decay_steps: int = 1000
    decay_rate: float = 0.97
    weight_decay: float = 0.0
    weight_averaging: float = 0.0
    loss: Loss = "classes"
    skip_first_n_losses: int = 0
    residual_connections: bool = False

    def __post_init__(self) -> None:
        for setting in dataclasses.fields(self):
            object.__setattr__(self, setting.name, _typed(setting, getattr(self, setting.name)))
        _require(self.batch_size >= 1, "batch_size", "at least 1", self.batch_size)
        _require(
            len(self.rnn_layer_sizes) > 0 and min(self.rnn_layer_sizes) >= 1,
            "rnn_layer_sizes",
            "a list of sizes of at least 1",
            list(self.rnn_layer_sizes),
        )
        _require(0 < self.dropout_keep_prob <= 1, "dropout_keep_prob", "above 0 and at most 1", self.dropout_keep_prob)
        _require(0 <= self.chord_keep_prob <= 1, "chord_keep_prob", "at least 0 and at most 1", self.chord_keep_prob)
        _require(self.attn_length >= 0, "attn_length", "at least 0", self.attn_length)
        _require_one_of(AttentionScope, "attn_scope", self.attn_scope)
        _require(self.clip_norm > 0, "clip_norm", "above 0", self.clip_norm)
        _require(self.initial_learning_rate > 0, "initial_learning_rate", "above 0", self.initial_learning_rate)
        _require(self.warmup_steps >= 0, "warmup_steps", "at least 0", self.warmup_steps)
        _require_one_of(LearningRateSchedule, "lr_schedule", self.lr_schedule)
        _require(self.decay_steps >= 1, "decay_steps", "at least 1", self.decay_steps)
        _require(0 < self.decay_rate <= 1, "decay_rate", "above 0 and at most 1", self.decay_rate)
        _require(self.weight_decay >= 0, "weight_decay", "at least 0", self.weight_decay)
        _require(0 <= self.weight_averaging < 1, "weight_averaging", "at least 0 and below 1", self.weight_averaging)
        _require_one_of(Loss, "loss", self.loss)
        _require(self.skip_first_n_losses >= 0, "skip_first_n_losses", "at least 0", self.skip_first_n_losses)


def _typed(setting: dataclasses.Field[Any], value: Any) -> Any:
    """The value as the type of the setting's default; integers pass for floats, nothing else changes kind."""
    wanted = type(setting.default)
    if wanted is tuple and isinstance(value, (list, tuple)):
        if all(type(item) is int for item in value):
            return tuple(value)
    elif wanted is float and type(value) in (int, float) and abs(value) <= sys.float_info.max:  # so it is no NaN either
        return float(value)
    elif type(value) is wanted and wanted is not float:
        return value
    kind = {tuple: "a list of integers", float: "a finite number", int: "an integer", bool: "True or False"}
    raise SettingsError(f"hparam {setting.name} must be {kind.get(wanted, 'a string')}, not {value!r}")


def _require(holds: bool, name: str, bound: str, value: object) -> None:
    if not holds:
        raise SettingsError(f"hparam {name} must be {bound}, not {value!r}")


def _require_one_of(choices: Any, name: str, value: str) -> None:
    _require(value in get_args(choices), name, "one of " + ", ".join(get_args(choices)), value)


def parse_hparams(text: str) -> dict[str, Any]:
    """Read `--hparams`, written as a Python dictionary or as Magenta's `name=value` list.

    Args:
        text: "{'batch_size':64,'rnn_layer_sizes':[64,64]}" or "batch_size=64,rnn_layer_sizes=[64,64]".

    Returns:
        The settings given, by their full names.

    Raises:
        SettingsError: if the text cannot be read, or names an unknown hyperparameter or one twice.
    """
    text = text.strip()
    if not text:
        return {}
    source = text if text.startswith("{") else f"dict({text})"
    try:
        tree = ast.parse(source, mode="eval").body
        if isinstance(tree, ast.Dict):
            pairs = [
                (ast.literal_eval(key) if key else None, value)
                for key, value in zip(tree.keys, tree.values, strict=True)
            ]
        elif isinstance(tree, ast.Call) and not tree.args:
            pairs = [(keyword.arg, keyword.value) for keyword in tree.keywords]
        else:
            raise ValueError
        settings = [(name, _literal(value)) for name, value in pairs]
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise SettingsError(
            f"--hparams={text!r} cannot be read; write \"{{'batch_size':64,'rnn_layer_sizes':[64,64]}}\" "
            'or "batch_size=64,rnn_layer_sizes=[64,64]"'
        ) from None
    known = [setting.name for setting in dataclasses.fields(Hparams)]
    chosen: dict[str, Any] = {}
    for name, value in settings:
        full_name = _ALIASES.get(name, name) if isinstance(name, str) else name
        if full_name not in known:
            names = [*known, *_ALIASES]
            near = did_you_mean(str(name), names) or f"; known are {', '.join(names)}"
            raise SettingsError(f"--hparams: no hparam is called {name!r}{near}")
        if full_name in chosen:
            raise SettingsError(f"--hparams: {full_name} is given twice")
        chosen[full_name] = value
    return chosen


def _literal(node: ast.expr) -> Any:
    # attn_scope=stack needs no quotes, and Magenta's own parser takes true and false.
    if isinstance(node, ast.Name):
        return {"true": True, "false": False}.get(node.id, node.id)
    return ast.literal_eval(node)


@dataclass(frozen=True, slots=True)
class Config:
    """What a model is: the name of its kind, its encoding, its hyperparameters."""

    name: str
    encoding: Encoding
    hparams: Hparams = field(default_factory=Hparams)

    def with_hparams(self, changes: Mapping[str, Any]) -> "Config":
        """The same config with some hyperparameters changed.

        Raises:
            SettingsError: if one of them cannot be.
        """
        return dataclasses.replace(self, hparams=dataclasses.replace(self.hparams, **changes))

    def with_lookback_distances(self, text: str) -> "Config":
        """The same config with other lookback distances.

        Args:
            text: "bars", "1,2,4,8 bars", or steps as "16,32", which `BarEncoding` does not count in.

        Raises:
            SettingsError: if the text cannot be read, or the encoding looks at no past, or not at steps.
        """
        encoding = self.encoding
        if not isinstance(encoding, RepeatEncoding | BarEncoding):
            raise SettingsError(f"--lookback_distances={text}: the encoding of {self.name} has no lookbacks")
        distances: LookbackDistances
        try:
            distances = tuple(map(int, text.split(",")))
        except ValueError:
            distances = text  # bars, then
        if isinstance(encoding, BarEncoding) and not isinstance(distances, str):
            raise SettingsError(
                f"--lookback_distances={text}: the encoding of {self.name} looks back in bars, not steps; "
                'name them as "bars" for one and two, or "1,2,4,8 bars"'
            )
        changes: dict[str, Any] = {"lookback_distances": distances}
        return dataclasses.replace(self, encoding=dataclasses.replace(encoding, **changes))

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON values; `from_json` reads them back equal."""
        return {
            "name": self.name,
            "encoding": encoding_to_json(self.encoding),
            "hparams": _plain(dataclasses.asdict(self.hparams)),
        }

    @staticmethod
    def from_json(settings: Any) -> "Config":
        """Read what `to_json` wrote.

        Raises:
            FormatError: if a part is missing, unknown or of the wrong kind.
        """
        try:
            encoding = _encoding_from(settings["encoding"])
            if not isinstance(settings["name"], str):
                raise TypeError("the name is no string")
            return Config(settings["name"], encoding, Hparams(**_tuples(settings["hparams"])))
        except (KeyError, TypeError, ValueError, SettingsError) as error:
            raise FormatError(f"these are no settings of a model: {error}") from None


def encoding_to_json(encoding: Encoding) -> dict[str, Any]:
    """The settings of an encoding as JSON values; `encoding_from_json` reads them back equal."""
    settings: Any = encoding  # a dataclass, which a protocol cannot ask for
    kind = next(name for name, kind in _ENCODINGS.items() if type(encoding) is kind)
    return {"kind": kind, **_plain(dataclasses.asdict(settings))}


def encoding_from_json(settings: Any) -> Encoding:
    """Read what `encoding_to_json` wrote.

    Raises:
        FormatError: if a part is unknown or of the wrong kind.
    """
    try:
        return _encoding_from(settings)
    except (KeyError, TypeError, ValueError, SettingsError) as error:
        raise FormatError(f"these are no settings of an encoding: {error}") from None


def _encoding_from(settings: Any) -> Encoding:
    values = dict(settings)
    encoding: Encoding = _ENCODINGS[values.pop("kind")](**_tuples(values))
    return encoding


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


_OSTINATO = Hparams(
    batch_size=32,
    rnn_layer_sizes=(256, 256),
    initial_learning_rate=0.003,
    warmup_steps=100,
    lr_schedule="cosine",
    dropout_keep_prob=0.45,
    decay_steps=1700,
    decay_rate=0.02,
    loss="events",
)

PRESETS: Mapping[str, Config] = MappingProxyType(
    {
        config.name: config
        for config in (
            Config("basic_rnn", OneHotEncoding()),
            Config("mono_rnn", OneHotEncoding(min_pitch=0, max_pitch=128, transpose_to_key=None)),
            Config("lookback_rnn", LookbackEncoding()),
            Config("attention_rnn", KeyEncoding(), Hparams(attn_length=40, clip_norm=3.0)),
            Config("ostinato", BarEncoding(tells_beat=True, tells_matches=True, foretells_end=True), _OSTINATO),
            Config(
                "chord_rnn",
                BarEncoding(tells_beat=True, tells_matches=True, tells_chords=True, foretells_end=True),
                dataclasses.replace(_OSTINATO, chord_keep_prob=0.7),
            ),
        )
    }
)


def preset(name: str) -> Config:
    """The preset of this name.

    Raises:
        SettingsError: if there is none.
    """
    try:
        return PRESETS[name]
    except KeyError:
        near = did_you_mean(name, PRESETS) or f"; known are {', '.join(PRESETS)}"
        raise SettingsError(f"no config is called {name!r}{near}") from None
