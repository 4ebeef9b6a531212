"""What can be asked of the API, checked: JSON values become frozen dataclasses here, or are refused."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ostinato.errors import SettingsError
from ostinato.music.melody import MAX_PITCH, MIN_PITCH, NO_EVENT, STEPS_PER_BAR, STEPS_PER_QUARTER, Melody
from ostinato.studio.strict_json import shown

MAX_STEPS = 1024
"""Length of a melody, its primer included."""
MAX_BARS = 32
"""What is made in one request."""
MAX_STEPS_PER_BAR = 64
MAX_VARIATIONS, DEFAULT_VARIATIONS = 8, 4
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.1, 2.0
MAX_TOP_K = 256
MAX_SEED = 2**53 - 1
"""The largest integer that every reader of JSON keeps whole."""
MAX_MELODIES = 64
"""What is written in one request."""
MIN_QPM, MAX_QPM, DEFAULT_QPM = 20.0, 400.0, 120.0
MAX_SOUND_SECONDS = 300.0
MAX_TEXT = 100
"""Characters of a name."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """Melodies to make.

    Attributes:
        num_steps: length of each, the primer included; what is new is 1 step to 32 bars long.
        model: which one; None is the default.
        primer: what each begins with; None begins with a random note.
        steps_per_bar: the meter; the primer's where there is one.
        variations: how many.
        temperature: of the choice.
        top_k: choose among so many likeliest events; 0 is all.
        top_p: choose among the likeliest events that together are so likely.
        key: the key that new notes keep to; None lets them go anywhere.
        min_note: lowest new note.
        max_note: highest new note, included.
        seed: for the same melodies again; None takes a new one.
        explain: tell how likely each step was, and what else could have come.
    """

    num_steps: int
    model: str | None
    primer: Melody | None
    steps_per_bar: int
    variations: int
    temperature: float
    top_k: int
    top_p: float
    key: str | None
    min_note: int | None
    max_note: int | None
    seed: int | None
    explain: bool

    @staticmethod
    def from_json(value: object) -> "GenerateRequest":
        """Check the body of a request.

        Raises:
            SettingsError: if it asks for what cannot be.
        """
        members = _Members(value)
        num_steps = members.integer("num_steps", 1, MAX_STEPS)
        primer = members.nullable("primer", _melody)
        meter = members.integer("steps_per_bar", 1, MAX_STEPS_PER_BAR, STEPS_PER_BAR)
        request = GenerateRequest(
            num_steps=num_steps,
            model=members.nullable("model", _text),
            primer=primer,
            steps_per_bar=meter if primer is None else primer.steps_per_bar,
            variations=members.integer("variations", 1, MAX_VARIATIONS, DEFAULT_VARIATIONS),
            temperature=members.number("temperature", MIN_TEMPERATURE, MAX_TEMPERATURE, 1.0),
            top_k=members.integer("top_k", 0, MAX_TOP_K, 0),
            top_p=members.number("top_p", 0.0, 1.0, 1.0),
            key=members.nullable("key", _text),
            min_note=members.nullable("min_note", _pitch),
            max_note=members.nullable("max_note", _pitch),
            seed=members.nullable("seed", _seed),
            explain=members.boolean("explain", True),
        )
        members.require_no_more()
        request._check()
        return request

    def _check(self) -> None:
        if self.top_p == 0:
            raise SettingsError("top_p must be above 0; 1 takes every event")
        begun = 0
        if self.primer is not None:
            begun = len(self.primer)
            if not self.primer.pitches:
                raise SettingsError("the primer holds no note; give it one, or send null to begin with a random note")
        if begun >= self.num_steps:
            raise SettingsError(
                f"the primer is {begun} steps long but num_steps is {self.num_steps}; "
                f"ask for more, up to {MAX_STEPS}, or shorten the primer"
            )
        if self.num_steps - begun > MAX_BARS * self.steps_per_bar:
            raise SettingsError(
                f"{self.num_steps - begun} new steps are more than {MAX_BARS} bars of {self.steps_per_bar}; take fewer"
            )


@dataclass(frozen=True, slots=True)
class MidiRequest:
    """Melodies to write as MIDI files.

    Attributes:
        melodies: one a file.
        qpm: quarter notes a minute.
        names: of the files, as many as melodies; empty for none.
    """

    melodies: tuple[Melody, ...]
    qpm: float
    names: tuple[str, ...]

    @staticmethod
    def from_json(value: object) -> "MidiRequest":
        """Check the body of a request.

        Raises:
            SettingsError: if it asks for what cannot be.
        """
        members = _Members(value)
        melodies = members.sequence("melodies", _melody)
        qpm = members.number("qpm", MIN_QPM, MAX_QPM, DEFAULT_QPM)
        names = members.sequence("names", _text, ())
        members.require_no_more()
        if not melodies:
            raise SettingsError("melodies must hold at least one")
        if names and len(names) != len(melodies):
            raise SettingsError(f"there are {len(names)} names for {len(melodies)} melodies; give one each, or none")
        return MidiRequest(melodies, qpm, names)


@dataclass(frozen=True, slots=True)
class WavRequest:
    """A melody to write as sound.

    Attributes:
        melody: what to play.
        qpm: quarter notes a minute.
    """

    melody: Melody
    qpm: float

    @staticmethod
    def from_json(value: object) -> "WavRequest":
        """Check the body of a request.

        Raises:
            SettingsError: if it asks for what cannot be.
        """
        members = _Members(value)
        qpm = members.number("qpm", MIN_QPM, MAX_QPM, DEFAULT_QPM)
        melody = _melody_of(members)
        seconds = len(melody) * 60 / qpm / STEPS_PER_QUARTER
        if seconds > MAX_SOUND_SECONDS:
            raise SettingsError(
                f"{len(melody)} steps at {qpm:g} quarters a minute last {seconds:.0f} seconds, and at most "
                f"{MAX_SOUND_SECONDS:g} are written; raise qpm or shorten the melody"
            )
        return WavRequest(melody, qpm)


class _Members:
    """The members of a JSON object, each to be taken once.

    Args:
        value: what should be an object.
        path: where it stands in the body, as "primer".

    Raises:
        SettingsError: if it is none. So do all methods if a value is not what they say.
    """

    def __init__(self, value: object, path: str = "") -> None:
        if not isinstance(value, dict):
            raise SettingsError(f"{path or 'the body'} must be an object, not {shown(value)}")
        self._values: dict[str, Any] = dict(value)
        self._prefix = f"{path}." if path else ""

    def integer(self, name: str, low: int, high: int, default: int | None = None) -> int:
        return self._take(name, lambda value, path: _integer(value, path, low, high), default)

    def number(self, name: str, low: float, high: float, default: float) -> float:
        return self._take(name, lambda value, path: _number(value, path, low, high), default)

    def boolean(self, name: str, default: bool) -> bool:
        return self._take(name, _boolean, default)

    def nullable(self, name: str, read: Callable[[object, str], T]) -> T | None:
        """A member that may be null, and is where it is absent."""
        value = self._values.pop(name, None)
        return None if value is None else read(value, self._prefix + name)

    def sequence(
        self, name: str, read: Callable[[object, str], T], default: tuple[T, ...] | None = None
    ) -> tuple[T, ...]:
        """An array of at most 64."""

        def items(value: object, path: str) -> tuple[T, ...]:
            if not isinstance(value, list) or len(value) > MAX_MELODIES:
                raise SettingsError(f"{path} must be an array of at most {MAX_MELODIES} items, not {shown(value)}")
            return tuple(read(item, f"{path}[{place}]") for place, item in enumerate(value))

        return self._take(name, items, default)

    def events(self) -> tuple[int, ...]:
        """The member "events": a melody's."""

        def steps(value: object, path: str) -> tuple[int, ...]:
            if not isinstance(value, list) or not 1 <= len(value) <= MAX_STEPS:
                count = f"{len(value)} of them" if isinstance(value, list) else shown(value)
                raise SettingsError(f"{path} must be an array of 1 to {MAX_STEPS} events, not {count}")
            return tuple(_integer(event, f"{path}[{step}]", NO_EVENT, MAX_PITCH) for step, event in enumerate(value))

        return self._take("events", steps)

    def require_no_more(self) -> None:
        """Refuse members that nobody took: a misspelled one would have no effect, and nobody would know."""
        if self._values:
            raise SettingsError(f"there is no member called {shown(self._prefix + min(self._values))}")

    def _take(self, name: str, read: Callable[[object, str], T], default: T | None = None) -> T:
        if name in self._values:
            return read(self._values.pop(name), self._prefix + name)
        if default is None:
            raise SettingsError(f"{self._prefix}{name} is missing")
        return default


def _melody(value: object, path: str) -> Melody:
    return _melody_of(_Members(value, path))


def _melody_of(members: _Members) -> Melody:
    """The melody that the rest of an object is."""
    melody = Melody(
        members.events(), steps_per_bar=members.integer("steps_per_bar", 1, MAX_STEPS_PER_BAR, STEPS_PER_BAR)
    )
    members.require_no_more()
    return melody


def _integer(value: object, path: str, low: int, high: int) -> int:
    # Python takes True for 1.
    if type(value) is not int or not low <= value <= high:
        raise SettingsError(f"{path} must be an integer of {low} to {high}, not {shown(value)}")
    return value


def _number(value: object, path: str, low: float, high: float) -> float:
    # Integers are compared as they are: a float could not hold all. An infinity, as of 1e999, is outside of any range.
    if type(value) not in (int, float) or not low <= value <= high:  # type: ignore[operator]
        raise SettingsError(f"{path} must be a number of {low:g} to {high:g}, not {shown(value)}")
    return float(value)  # type: ignore[arg-type]


def _boolean(value: object, path: str) -> bool:
    if not isinstance(value, bool):
        raise SettingsError(f"{path} must be true or false, not {shown(value)}")
    return value


def _text(value: object, path: str) -> str:
    # JSON may hold halves of characters, which nothing else can.
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_TEXT or not value.isprintable():
        raise SettingsError(f"{path} must be a text of 1 to {MAX_TEXT} printable characters, not {shown(value)}")
    return value


def _pitch(value: object, path: str) -> int:
    return _integer(value, path, MIN_PITCH, MAX_PITCH)


def _seed(value: object, path: str) -> int:
    return _integer(value, path, 0, MAX_SEED)
