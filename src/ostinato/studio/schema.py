"""What goes over the API, as types: requests are checked by them, answers written from them, `api` describes them.

A request is read in two steps. `parse_json` reads JSON as its standard has it
and no more, for Python's reader takes much that others refuse; `read_request`
makes one of the types here of it. What music allows beyond that, such as a
primer's notes or the name of a key, the library says when it is asked.
"""

import functools
import json
import re
from collections import Counter
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import numpy as np
from msgspec import Meta

from ostinato.errors import FormatError, SettingsError
from ostinato.generation.options import DEFAULT_CHORD_STRENGTH, DEFAULT_STEPS, GenerationOptions
from ostinato.music.chords import Accompaniment
from ostinato.music.harmony import MOST_ALTERNATIVES
from ostinato.music.melody import MAX_PITCH, MIN_PITCH, NO_EVENT, Melody
from ostinato.music.meter import STEPS_PER_QUARTER, Meter, parse_meter, plainest_meter

MAX_STEPS = 1024
"""Length of a melody, its primer included: 64 bars of 4/4."""
MAX_BARS = 32
"""What is made in one request: with 8 variations, a few seconds of work."""
MAX_FILL_BARS = 16
"""What is filled in one request: it takes many times the work, for each variation is chosen among 32."""
MAX_STEPS_PER_BAR = 64  # four whole notes
MAX_VARIATIONS, DEFAULT_VARIATIONS = 8, 4  # what can be compared by ear, and what fits a screen
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.1, 2.0  # beyond lies one melody over and over, or noise
MAX_TOP_K = 256  # more than any model has classes
MAX_SEED = 2**53 - 1
"""The largest integer that every reader of JSON keeps whole."""
MAX_DRAW = 2**31 - 1
MAX_MELODIES = 64
"""What is written in one request."""
MIN_QPM, MAX_QPM, DEFAULT_QPM = 20.0, 400.0, 120.0  # a little wider than a metronome's
MAX_SOUND_SECONDS = 300.0
"""In stereo at 44,100 samples a second, 53 MB."""
CLIENT_HEADER = "Ostinato-Client"
"""By which browsers behind one address are told apart, so that they take turns."""
MAX_CLIENT_NAME = 64  # characters
MAX_PRIMER_STEPS = MAX_STEPS // 2
"""A longer melody of an uploaded file is cut to this: half of what a melody may hold leaves room to go on."""
MAX_TRACKS = 256
"""More could not be chosen from."""
MAX_TUNES, MAX_TUNE_BYTES = 2000, 1 << 26
"""What can be learned from: files, and all their bytes."""
MIN_MINUTES, MAX_MINUTES, DEFAULT_MINUTES = 1.0, 30.0, 5.0  # of training; who wants more has a terminal
MAX_LEARNED = 20
"""Models that were trained from the page: each takes some megabytes of memory and disk."""
MAX_CHORD_LETTERS = 4000  # of all chords
_MAX_TEXT = 100  # characters of a name
_MAX_SHOWN = 40  # characters of a value in an error
_MAX_CANDIDATES = 5  # what is told of a step
_REFUSED = re.compile(
    r"(?:Object missing required field `(?P<missing>.*?)`|Object contains unknown field `(?P<unknown>.*?)`|.*?)"
    r"(?: - at `\$(?P<path>[\w.\[\]]*)`)?",
    re.DOTALL,
)

T = TypeVar("T")

Event = Annotated[int, Meta(ge=NO_EVENT, le=MAX_PITCH, description="0..127 starts a note, -1 ends it, -2 is no event.")]
Events = Annotated[
    tuple[Event, ...],
    Meta(min_length=1, max_length=MAX_STEPS, description="A melody, an event for each step of a 16th note."),
]
MeterName = Annotated[
    str,
    Meta(
        pattern=r"^[1-9][0-9]{0,2}/[1-9][0-9]?$",
        description=f"Such as 3/4 or 6/8, with bars of at most {MAX_STEPS_PER_BAR} 16th notes.",
    ),
]
StepsPerBar = Annotated[
    int,
    Meta(ge=1, le=MAX_STEPS_PER_BAR, description="Length of a bar in 16th notes: 16 in 4/4, 12 in 3/4 and 6/8."),
]
GivenStepsPerBar = Annotated[
    int,
    Meta(
        ge=1,
        le=MAX_STEPS_PER_BAR,
        description="Instead of the meter, for the plainest one with bars of this many 16th notes: 12 is 3/4.",
    ),
]
Bar = Annotated[int, Meta(ge=1, le=MAX_STEPS)]
Qpm = Annotated[float, Meta(ge=MIN_QPM, le=MAX_QPM, description="Quarter notes a minute.")]
Seed = Annotated[int, Meta(ge=0, le=MAX_SEED, description="Gives the same melodies again.")]
Draw = Annotated[int, Meta(ge=0, le=MAX_DRAW)]
Text = Annotated[str, Meta(min_length=1, max_length=_MAX_TEXT)]
Pitch = Annotated[int, Meta(ge=MIN_PITCH, le=MAX_PITCH)]
Count = Annotated[int, Meta(ge=0)]
Probability = Annotated[float, Meta(ge=0, le=1)]


Chords = Annotated[
    tuple[tuple[Count, Text], ...],
    Meta(max_length=MAX_STEPS, description="Chords beside it: from which step on, and the name, such as Am7."),
]

ChordBars = Annotated[str, Meta(min_length=1, max_length=MAX_CHORD_LETTERS)]

Playing = Annotated[
    Accompaniment | None,
    Meta(description="Play the chords too: held, note after note, or bass and chord in turn; null does not."),
]


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A JSON object of these members and no others."""


class MelodyJson(_Message, frozen=True):
    """A melody."""

    events: Events
    steps_per_bar: GivenStepsPerBar | None = None
    meter: Annotated[MeterName | None, Meta(description="4/4 without either.")] = None
    ends: Annotated[bool, Meta(description="Whether the tune ends with it, which it keeps when bars are filled.")] = (
        False
    )
    chords: Chords = ()

    def __post_init__(self) -> None:
        _one_meter(self)

    def melody(self, meter: Meter | None = None) -> Melody:
        """The melody itself, in a meter that is known to be its own."""
        return Melody(self.events, meter=meter or _one_meter(self), ends=self.ends, chords=self.chords)


class GenerateRequest(_Message, frozen=True, kw_only=True):
    """Melodies to make."""

    num_steps: Annotated[
        Annotated[int, Meta(ge=1, le=MAX_STEPS)] | None,
        Meta(
            description="Length of each melody, the primer included; "
            f"at least 1 step and at most {MAX_BARS} bars are new.",
        ),
    ] = None
    num_bars: Annotated[
        Bar | None,
        Meta(
            description="The same in bars. A model that foretells the end brings each melody to an end in the last of "
            "them, maybe before its bar line, unless ending is false."
        ),
    ] = None
    ending: Annotated[
        bool | None,
        Meta(description="Whether each melody ends in its last bar; null does with num_bars, if the model can."),
    ] = None
    until_end: Annotated[
        bool, Meta(description="Let each melody end where the model ends it; num_bars are the most it may have.")
    ] = False
    upbeat: Annotated[
        bool | None,
        Meta(
            description="Whether melodies without a primer begin with an upbeat, in a bar before those of num_bars "
            "whose first half is silent; null begins as many with one as tunes that the model has learned from."
        ),
    ] = None
    fill: Annotated[
        Annotated[tuple[Bar, ...], Meta(min_length=2, max_length=2)] | None,
        Meta(
            description="Make these bars of the primer anew, the first and the last, counted from 1, so that what "
            f"follows fits: {MAX_FILL_BARS} at most. The length is the primer's, in bars."
        ),
    ] = None
    locked: Annotated[
        tuple[Bar, ...], Meta(max_length=MAX_STEPS, description="Bars of these that stay as they are.")
    ] = ()
    model: Annotated[Text | None, Meta(description="A name of /api/models; null is the default.")] = None
    primer: Annotated[
        MelodyJson | None, Meta(description="What each melody begins with; null begins with a random note.")
    ] = None
    steps_per_bar: GivenStepsPerBar | None = None
    meter: Annotated[MeterName | None, Meta(description="The primer's if it tells one; 4/4 without any.")] = None
    variations: Annotated[int, Meta(ge=1, le=MAX_VARIATIONS, description="How many melodies.")] = DEFAULT_VARIATIONS
    temperature: Annotated[
        float,
        Meta(
            ge=MIN_TEMPERATURE,
            le=MAX_TEMPERATURE,
            description="Below 1 makes likely events likelier, above 1 evens them out.",
        ),
    ] = 1.0
    top_k: Annotated[
        int, Meta(ge=0, le=MAX_TOP_K, description="Choose among this many of the likeliest events; 0 is all.")
    ] = 0
    top_p: Annotated[
        float, Meta(gt=0, le=1, description="Choose among the fewest likeliest events that make up this share.")
    ] = 1.0
    key: Annotated[
        Text | None, Meta(description='New notes keep to this key, such as "G" or "A minor"; null is any.')
    ] = None
    min_note: Annotated[Pitch | None, Meta(description="Lowest new note.")] = None
    max_note: Annotated[Pitch | None, Meta(description="Highest new note, included.")] = None
    chords: Annotated[
        ChordBars | None,
        Meta(
            description='Chords of the bars, such as "C | Am | F G | C", which come again up to the end: on the beats '
            "their notes are likelier."
        ),
    ] = None
    chord_strength: Annotated[Probability, Meta(description="How much likelier: 0 is not at all, 1 always.")] = (
        DEFAULT_CHORD_STRENGTH
    )
    seed: Annotated[Seed | None, Meta(description="For the same melodies again; null takes a new one.")] = None
    draw: Annotated[
        Draw, Meta(description="Which of the seed's melodies is the first here, from 0: to go on where others ended.")
    ] = 0
    explain: Annotated[
        bool,
        Meta(description="Tell how likely each step was, what else could have come, where the model looked."),
    ] = True

    def __post_init__(self) -> None:
        _require_printable(model=self.model, key=self.key, chords=self.chords)
        if self.fill is None:
            if self.locked:
                raise SettingsError("locked bars stay where others are made anew; give fill, or leave locked out")
            _require_length(self)
        else:
            _require_few_bars(self, self.fill)

    @property
    def one_meter(self) -> Meter:
        """Of the melodies and their primer, whichever of them tells it.

        Raises:
            SettingsError: if they contradict each other.
        """
        return _one_meter(self.primer, self) if self.primer else _one_meter(self)

    def options(self, seed: int) -> GenerationOptions:
        """What the library is asked for.

        Raises:
            SettingsError: if it cannot be.
        """
        return GenerationOptions(
            num_steps=self.num_steps or DEFAULT_STEPS,
            primer=self.primer.melody(self.one_meter) if self.primer else None,
            temperature=self.temperature,
            num_outputs=self.variations,
            # A seed's melodies have random numbers of their own; those before this draw are passed over.
            seed=np.random.default_rng(np.random.SeedSequence(seed, n_children_spawned=self.draw)),
            meter=self.one_meter,
            num_bars=self.num_bars,
            ending=self.ending,
            until_end=self.until_end,
            upbeat=self.upbeat,
            fill=(self.fill[0], self.fill[1]) if self.fill else None,
            top_k=self.top_k,
            top_p=self.top_p,
            key=self.key,
            min_note=self.min_note,
            max_note=self.max_note,
            chords=self.chords,
            chord_strength=self.chord_strength,
        )


class MidiRequest(_Message, frozen=True):
    """Melodies to write as MIDI files, one in each."""

    melodies: Annotated[tuple[MelodyJson, ...], Meta(min_length=1, max_length=MAX_MELODIES)]
    qpm: Qpm = DEFAULT_QPM
    accompaniment: Playing = None
    names: Annotated[
        tuple[Text, ...],
        Meta(max_length=MAX_MELODIES, description="Of the files in the archive, as many as melodies, or none."),
    ] = ()

    def __post_init__(self) -> None:
        _require_printable(**{f"names[{place}]": name for place, name in enumerate(self.names)})
        if self.names and len(self.names) != len(self.melodies):
            raise SettingsError(
                f"there are {len(self.names)} names for {len(self.melodies)} melodies; give one each, or none"
            )


class WavRequest(MelodyJson, frozen=True):
    """A melody to write as sound, of 300 seconds at most."""

    qpm: Qpm = DEFAULT_QPM
    clicks: Annotated[bool, Meta(description="Click on every beat of the meter, louder where a bar begins.")] = False
    program: Annotated[int, Meta(ge=0, le=127, description="The instrument, as General MIDI counts them from 0.")] = 0
    instrument: Annotated[
        Literal["piano", "guitar", "violin", "flute", "clarinet"] | None,
        Meta(description="A recorded instrument, in place of the program."),
    ] = None
    accompaniment: Playing = None

    def __post_init__(self) -> None:
        super().__post_init__()
        seconds = len(self.events) * 60 / self.qpm / STEPS_PER_QUARTER
        if seconds > MAX_SOUND_SECONDS:
            raise SettingsError(
                f"{len(self.events)} steps at {self.qpm:g} quarters a minute last {seconds:.0f} seconds, and at most "
                f"{MAX_SOUND_SECONDS:g} are written; raise qpm or shorten the melody"
            )


class ScoreRequest(MelodyJson, frozen=True, kw_only=True):
    """A melody to write down as a score."""

    format: Annotated[Literal["abc", "musicxml"], Meta(description="Of the file.")]
    qpm: Qpm = DEFAULT_QPM
    key: Annotated[
        Text | None, Meta(description='Of its signature, such as "G" or "A minor"; null finds the one that fits.')
    ] = None
    title: Annotated[Text | None, Meta(description="Above the music.")] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_printable(key=self.key, title=self.title)


class HarmonizeRequest(MelodyJson, frozen=True, kw_only=True):
    """A melody to find chords for; those that it has are passed over."""

    key: Annotated[Text | None, Meta(description="That it is in; null is the one that most of its notes fit.")] = None
    chords_per_bar: Annotated[int, Meta(ge=1, le=2, description="2 where a bar has two halves.")] = 1
    alternatives: Annotated[int, Meta(ge=1, le=MOST_ALTERNATIVES, description="How many ways to find.")] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_printable(key=self.key)


class Harmonized(_Message, frozen=True):
    """Chords for a melody."""

    ways: Annotated[list[Chords], Meta(min_length=1, description="Each with all its chords, the likeliest first.")]


class ChordsRequest(_Message, frozen=True, kw_only=True):
    """Chords to read."""

    chords: Annotated[ChordBars, Meta(description='Of the bars, such as "C | Am | F G | C".')]
    meter: Annotated[MeterName, Meta(description="Of the bars.")] = "4/4"

    def __post_init__(self) -> None:
        _require_printable(chords=self.chords)


class ChordSound(_Message, frozen=True, kw_only=True):
    """A chord that was read."""

    step: Count
    name: Annotated[str, Meta(description="In Ostinato's spelling.")]
    root: Annotated[
        Annotated[int, Meta(ge=0, le=11)] | None, Meta(description="In semitones above C; null is no chord.")
    ]
    pitches: Annotated[list[Pitch], Meta(description="As an accompaniment plays it, the bass first.")]


class ChordSounds(_Message, frozen=True, kw_only=True):
    """Chords that were read."""

    num_steps: Annotated[int, Meta(ge=1, description="Of all the bars.")]
    chords: list[ChordSound]


class Error(_Message, frozen=True):
    """A refusal."""

    error: Annotated[str, Meta(min_length=1, description="What is wrong, in a sentence.")]


class Limits(_Message, frozen=True, kw_only=True):
    """How much may be asked for."""

    max_steps: Annotated[int, Meta(ge=1, description="Steps of a melody, its primer included.")]
    max_bars: Annotated[int, Meta(ge=1, description="Bars that are made at once.")]
    max_fill_bars: Annotated[int, Meta(ge=1, description="Bars that are filled at once.")]
    max_variations: Annotated[int, Meta(ge=1, description="Melodies that are made at once.")]
    max_upload_bytes: Annotated[int, Meta(ge=1, description="Size of a MIDI file.")]


class ModelCard(_Message, frozen=True, kw_only=True):
    """A model."""

    name: str
    description: str
    default: Annotated[bool, Meta(description="Whether it plays if you name no model.")]
    attention: Annotated[bool, Meta(description="Whether it can tell which steps it looked at.")]
    foretells_end: Annotated[bool, Meta(description="Whether it has learned where tunes end.")]
    min_pitch: Annotated[Pitch, Meta(description="Lowest pitch that it makes in its own key.")]
    max_pitch: Annotated[Pitch, Meta(description="Highest one, included.")]
    bits_per_step: Annotated[
        float | None,
        Meta(description="Loss on melodies that it did not learn from, where it is known; less is better."),
    ]


class ModelList(_Message, frozen=True, kw_only=True):
    """The models, and how much may be asked for."""

    models: Annotated[list[ModelCard], Meta(min_length=1)]
    modes: Annotated[
        dict[str, tuple[Annotated[int, Meta(ge=0, le=11)], ...]],
        Meta(description="The scale of each mode that a key may have, in semitones above its tonic."),
    ]
    limits: Limits
    version: Annotated[str, Meta(description="Of Ostinato.")]


class Step(_Message, frozen=True, kw_only=True):
    """How a drawn event came about."""

    step: Annotated[Count, Meta(description="Its place in the melody, from 0.")]
    event: Event
    probability: Annotated[Probability, Meta(description="Of this event in the distribution it was drawn from.")]
    repeat_steps: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="It was drawn as a repeat of what was there this many steps before."),
    ]
    candidates: Annotated[
        list[tuple[Event, Probability]],
        Meta(max_length=_MAX_CANDIDATES, description="The likeliest events with their probabilities, best first."),
    ]


class Variation(_Message, frozen=True, kw_only=True):
    """A melody that was made."""

    events: Events
    primer_steps: Annotated[Count, Meta(description="How many of the first events are the primer's.")]
    kept_steps: Annotated[
        Count, Meta(description="How many of the last events are the primer's: those after the bars that were filled.")
    ]
    ends: Annotated[bool, Meta(description="Whether the tune ends with it.")]
    chords: Chords
    log_likelihood: Annotated[
        float,
        Meta(le=0, description="Natural logarithm of how likely the model by itself holds the new events."),
    ]
    steps: Annotated[
        list[Step],
        Meta(
            description="Of each drawn event, in order; empty if nothing was to be explained. Where the first event is "
            "not the primer's it is a random note, which has none."
        ),
    ]
    attention: Annotated[
        list[list[Probability]] | None,
        Meta(
            description="For each of the steps the weights over A remembered ones, oldest first: column a of the row "
            "of step s is of step s - 1 - A + a, and below 0 of nothing. null without attention."
        ),
    ]


class Generated(_Message, frozen=True, kw_only=True):
    """Melodies that were made."""

    model: str
    seed: Seed
    draw: Annotated[Draw, Meta(description="Which of the seed's melodies is the first here, from 0.")]
    steps_per_bar: StepsPerBar
    meter: MeterName
    milliseconds: Annotated[float, Meta(ge=0, description="What making them took.")]
    variations: Annotated[list[Variation], Meta(min_length=1, max_length=MAX_VARIATIONS)]


class Queue(_Message, frozen=True, kw_only=True):
    """How long a client has to wait."""

    ahead: Annotated[
        Count | None,
        Meta(description="Requests that are done before yours, 0 once it is begun; null if none of yours waits."),
    ]
    seconds: Annotated[
        Annotated[float, Meta(ge=0)] | None, Meta(description="Until yours is begun, as far as can be said.")
    ]


class Track(_Message, frozen=True, kw_only=True):
    """The melody of a track."""

    track: Annotated[Count, Meta(description="Its number among the tracks with notes.")]
    name: Annotated[str, Meta(description="Its name; empty where it has none.")]
    events: Annotated[
        Events, Meta(description=f"Its longest melody, or its first whole bars: {MAX_PRIMER_STEPS} steps at most.")
    ]
    steps_per_bar: StepsPerBar
    meter: MeterName
    ends: Annotated[bool, Meta(description="Whether the tune ends with the events.")]
    chords: Chords
    qpm: Annotated[float, Meta(gt=0, description="Its tempo, quarter notes a minute.")]
    num_notes: Annotated[int, Meta(ge=1, description="Notes in the events.")]
    length: Annotated[int, Meta(ge=1, description="Steps before it was cut.")]


class Tracks(_Message, frozen=True):
    """The melodies of a file."""

    tracks: Annotated[list[Track], Meta(min_length=1, max_length=MAX_TRACKS)]


class TuneCount(_Message, frozen=True, kw_only=True):
    """What there is to learn from."""

    files: Annotated[int, Meta(ge=0, le=MAX_TUNES)]
    bytes: Annotated[int, Meta(ge=0, le=MAX_TUNE_BYTES)]


class LeftOut(_Message, frozen=True, kw_only=True):
    """A reason why something was left out or changed."""

    count: Count
    what: Annotated[str, Meta(description="Of what, and why.")]


class SkippedTune(_Message, frozen=True, kw_only=True):
    """A file or a tune that could not be read."""

    file: str
    reason: str


class TuneReport(_Message, frozen=True, kw_only=True):
    """What is in the tunes."""

    files: Annotated[Count, Meta(description="Music files.")]
    read: Annotated[Count, Meta(description="Those that could be read.")]
    tunes: Annotated[Count, Meta(description="In them: a file of ABC may hold many.")]
    melodies: Annotated[Count, Meta(description="That differ, to learn from and to measure on.")]
    held_out: Annotated[Count, Meta(description="Those of them to measure on.")]
    left_out: list[LeftOut]
    skipped: Annotated[list[SkippedTune], Meta(description="The first of them.")]


class LearnRequest(_Message, frozen=True, kw_only=True):
    """A training to begin."""

    name: Annotated[str, Meta(min_length=1, max_length=40, description="Of the model.")]
    minutes: Annotated[float, Meta(ge=MIN_MINUTES, le=MAX_MINUTES, description="How long to train at most.")] = (
        DEFAULT_MINUTES
    )

    def __post_init__(self) -> None:
        _require_printable(name=self.name)
        if not self.name.strip():
            raise SettingsError("name must hold more than spaces")


class Learning(_Message, frozen=True, kw_only=True):
    """How a training goes, or went."""

    state: Literal["idle", "learning", "done", "failed"]
    tunes: Annotated[Count, Meta(description="Files of yours to learn from.")] = 0
    missing: Annotated[str | None, Meta(description="What must be installed before anything can be learned.")] = None
    yours: Annotated[bool, Meta(description="Whether you began it, and may cancel it.")] = False
    name: Annotated[str, Meta(description="That was asked for.")] = ""
    minutes: Annotated[float, Meta(ge=0, description="That it may take.")] = 0
    seconds: Annotated[float, Meta(ge=0, description="That it has taken, reading the tunes included.")] = 0
    step: Count = 0
    curve: Annotated[
        list[tuple[Count, float]],
        Meta(description="Steps, and the loss then on the tunes held out, in nats a step: the less the better."),
    ] = []
    model: Annotated[str | None, Meta(description="The name of the model, once it is there.")] = None
    error: Annotated[str | None, Meta(description="Why it failed.")] = None
    bits_before: Annotated[
        float | None, Meta(description="Bits a step on the tunes held out, of the model that it began from.")
    ] = None
    bits_after: Annotated[float | None, Meta(description="And of the new one.")] = None


@functools.cache
def schemas() -> dict[str, Any]:
    """The JSON schema of each type, by its name; not to be changed."""
    types = (
        ChordSounds,
        ChordsRequest,
        Error,
        GenerateRequest,
        Generated,
        HarmonizeRequest,
        Harmonized,
        LearnRequest,
        Learning,
        MidiRequest,
        ModelList,
        Queue,
        ScoreRequest,
        Tracks,
        TuneCount,
        TuneReport,
        WavRequest,
    )
    return msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")[1]


def read_request(data: bytes, kind: type[T]) -> T:
    """The request that a body is.

    Args:
        data: JSON, as UTF-8.
        kind: the type of the request.

    Raises:
        FormatError: if it is not JSON.
        SettingsError: if it is not such a request; the error names the member, what it may be, and what it is.
    """
    try:
        value = parse_json(data)
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            raise SettingsError(_in_words(str(error), value, kind)) from None
        except UnicodeEncodeError:  # a member's name, which msgspec reads as UTF-8
            raise SettingsError("the body names a member with half a character") from None
    except RecursionError:
        raise FormatError("the body is nested too deep") from None


def parse_json(data: bytes) -> Any:
    """The value of a JSON document.

    Args:
        data: UTF-8.

    Raises:
        FormatError: if it is not JSON, names a member twice, or holds NaN, an infinity or an integer of thousands of
            digits.
        RecursionError: if it is nested hundreds deep.
    """
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_object, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise FormatError(f"the body is not UTF-8: byte {error.start} is wrong") from None
    except json.JSONDecodeError as error:
        raise FormatError(
            f"the body is not JSON: {error.msg.lower()} at line {error.lineno}, column {error.colno}"
        ) from None
    except ValueError:  # Python's own, of an integer with too many digits
        raise FormatError("the body holds an integer that is too large") from None


def shown(value: object) -> str:
    """A value out of a document, as an error shows it: as JSON, and not too much of it."""
    text = json.dumps(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise FormatError(f"the body names {shown(twice)} twice in one object")
    return members


def _refuse_constant(name: str) -> Any:
    raise FormatError(f"the body holds {name}, which is not JSON")


def _one_meter(*given: MelodyJson | GenerateRequest) -> Meter:
    """The meter that objects tell, by its name or by the length of its bar; 4/4 if they do not."""
    meters = [parse_meter(each.meter) for each in given if each.meter is not None]
    lengths = [each.steps_per_bar for each in given if each.steps_per_bar is not None]
    meter = meters[0] if meters else plainest_meter(lengths[0]) if lengths else Meter(4, 4)
    for other in meters:
        if other != meter:
            raise SettingsError(f"meter={other} is not the primer's, {meter}; leave it out")
    for length in lengths:
        if length != meter.steps_per_bar:
            raise SettingsError(
                f"a bar of {meter} has {meter.steps_per_bar} steps, not steps_per_bar={length}; give one"
            )
    if meter.steps_per_bar > MAX_STEPS_PER_BAR:
        raise SettingsError(
            f"a bar of meter={meter} has {meter.steps_per_bar} steps, and at most {MAX_STEPS_PER_BAR} are taken"
        )
    return meter


def _require_length(request: GenerateRequest) -> None:
    """Refuse what gives no length, two, or too long a one."""
    steps, bars, bar = request.num_steps, request.num_bars, request.one_meter.steps_per_bar
    if steps is None and bars is None:
        raise SettingsError("num_steps is missing; give it, or num_bars")
    if steps is not None and bars is not None:
        raise SettingsError(f"num_steps={steps} and num_bars={bars} are two lengths; give one")
    if request.until_end and bars is None:
        raise SettingsError("until_end takes num_bars, the most that a melody may have, instead of num_steps")
    length = steps or (bars or 0) * bar
    may_have_upbeat = steps is None and request.primer is None and request.upbeat is not False
    if (most := length + may_have_upbeat * bar) > MAX_STEPS:
        told = f"num_bars={bars} and an upbeat" if may_have_upbeat else f"num_bars={bars}"
        raise SettingsError(f"{told} are {most} steps, and at most {MAX_STEPS} are made; take fewer")
    new = length - (len(request.primer.events) if request.primer else 0)
    if new > MAX_BARS * bar:
        raise SettingsError(f"{new} new steps are more than {MAX_BARS} bars of {bar}; take fewer")


def _require_few_bars(request: GenerateRequest, fill: tuple[int, ...]) -> None:
    """Refuse to fill more bars than may be; what else is wrong with them the library says."""
    first, last = fill
    if request.num_steps is not None:
        raise SettingsError(f"fill keeps the primer's length; leave out num_steps={request.num_steps}")
    if request.num_bars is not None or request.until_end:
        raise SettingsError("fill keeps the primer's length; leave out num_bars and until_end")
    if last - first >= MAX_FILL_BARS:
        raise SettingsError(
            f"fill=[{first}, {last}] is {last - first + 1} bars, and at most {MAX_FILL_BARS} are filled at once"
        )


def _require_printable(**texts: str | None) -> None:
    # JSON may hold halves of characters, which nothing else can.
    for name, text in texts.items():
        if text is not None and not text.isprintable():
            raise SettingsError(f"{name} must be a text of printable characters, not {shown(text)}")


def _in_words(error: str, value: Any, kind: type) -> str:
    """What msgspec refused: the member, what its schema allows, and what it is."""
    found = _REFUSED.fullmatch(error)
    assert found, error
    path = (found["path"] or "").removeprefix(".")
    prefix = f"{path}." if path else ""
    if found["missing"] is not None:
        return f"{prefix}{found['missing']} is missing"
    if found["unknown"] is not None:
        return f"there is no member called {shown(prefix + found['unknown'])}"
    schema = schemas()[kind.__name__]
    for member, index in re.findall(r"(\w+)|\[(\d+)\]", path):
        value = value[member or int(index)]
        schema = _plain(schema["properties"][member] if member else schema["items"])
    is_array = isinstance(value, list) and schema.get("type") == "array"
    told = f"{len(value)} of them" if is_array else shown(value)
    return f"{path or 'the body'} must be {_allowed(schema)}, not {told}"


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema itself, where it may be null or is elsewhere."""
    schema = schema.get("anyOf", [schema])[0]
    return schemas()[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _allowed(schema: dict[str, Any]) -> str:
    """What a schema allows, in words."""
    if "enum" in schema:
        *others, last = map(shown, schema["enum"])
        return f"{', '.join(others)} or {last}"
    match schema["type"]:
        case "integer":
            return f"an integer of {schema['minimum']} to {schema['maximum']}"
        case "number" if "exclusiveMinimum" in schema:
            return f"a number above {schema['exclusiveMinimum']:g}, at most {schema['maximum']:g}"
        case "number":
            return f"a number of {schema['minimum']:g} to {schema['maximum']:g}"
        case "string" if "pattern" in schema:
            return 'a meter such as "3/4" or "6/8"'
        case "string":
            return f"a text of {schema['minLength']} to {schema['maxLength']} characters"
        case "array" if schema.get("minItems") == schema["maxItems"]:
            return f"an array of {schema['maxItems']} items"
        case "array":
            return f"an array of {schema.get('minItems', 0)} to {schema['maxItems']} items"
        case "boolean":
            return "true or false"
        case _:
            return "an object"
