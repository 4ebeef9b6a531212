"""What `import ostinato` offers that takes several parts of the package: to read, to load, to make, to write.

Each function loads what it needs when it is called.
"""

import functools
import inspect
import os
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

from ostinato.errors import DataError, SettingsError
from ostinato.generation.options import GenerationOptions
from ostinato.music.melody import Melody, MelodyList

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ostinato.formats.note_sequence_pb2 import NoteSequence
    from ostinato.formats.sources import Source
    from ostinato.generation.model import Model
    from ostinato.music.chords import Accompaniment
    from ostinato.music.extract import ExtractionSettings
    from ostinato.music.keys import Key

P = ParamSpec("P")

_SAMPLE_RATE = 44_100
_ENDINGS = ".mid, .abc, .musicxml and .wav"


def read(source: "Source", tune: int | None = None) -> "NoteSequence":
    """The notes of a MIDI, MusicXML or ABC file, whichever it is by what is in it, times in seconds.

    Args:
        source: its path, its bytes, an open file, or a pretty_midi.PrettyMIDI or mido.MidiFile. A NoteSequence, ours or
            that of note_seq, is given back as ours.
        tune: which tune of a book of ABC, counted from 1; not needed if there is one.

    Raises:
        FormatError: if it is none of these, or too damaged to be read; it says where.
        DataError: if there is no such file, no such tune, or several tunes and none was chosen.
        SettingsError: if it is nothing that can be read.

    Warns:
        Remark: if a part of it could not be read.
    """
    from ostinato.dataset.convert import read_music

    tunes = read_music(source)
    if tune is None and len(tunes) == 1:
        return tunes[0]
    name = tunes[0].filename or "the file"
    if tune is None:
        raise DataError(f"{name}: there are {len(tunes)} tunes in it; choose one: tune=1 is the first")
    if not 1 <= tune <= len(tunes):
        raise DataError(f"{name}: there is no tune={tune}; count from 1 to {len(tunes)}")
    return tunes[tune - 1]


def extract_melodies(note_sequence: "NoteSequence", settings: "ExtractionSettings | None" = None) -> MelodyList:
    """The melodies of a NoteSequence, in order of its stretches of one tempo and meter, then its tracks, then time.

    Args:
        note_sequence: notes and times in seconds.
        settings: what counts as a melody; `ExtractionSettings()` is what Magenta's data sets take. If absent, whatever
            is played is one, however short, and the top line of a track with several notes at once.

    Raises:
        DataError: if a time is no number of seconds from 0 on.

    Warns:
        Remark: if there is none; it says why.
    """
    from ostinato.dataset.report import not_extracted
    from ostinato.formats import Remark
    from ostinato.music.extract import ExtractionSettings, ExtractionStatistics, find_melodies

    if settings is None:
        settings = ExtractionSettings(min_bars=0, max_steps=None, min_unique_pitches=0, polyphony="line")
    statistics = ExtractionStatistics()
    found = MelodyList(each.melody for each in find_melodies(note_sequence, settings, statistics))
    if not found:
        # The settings have the names of the flags.
        reasons = [reason.text().replace("(--", "(") for reason in not_extracted(statistics, settings)]
        name = f"{note_sequence.filename}: " if note_sequence.filename else ""
        text = f"{name}there is no melody in it: {'; '.join(reasons) or 'it holds no notes'}"
        warnings.warn(Remark("no melody", text), stacklevel=2)
    return found


def encode(config: str, melody: "Melody | Iterable[int]") -> "tuple[NDArray[np.float32], NDArray[np.int64]]":
    """A melody as the numbers a model trains on, after moving it to the model's range and key.

    Args:
        config: basic_rnn, mono_rnn, lookback_rnn, attention_rnn or ostinato.
        melody: n events.

    Returns:
        Inputs, float32 [n - 1, D], and labels, int64 [n - 1].

    Raises:
        SettingsError: if there is no such config, or the events are no melody.
    """
    from ostinato.config import preset

    encoding = preset(config).encoding
    squashed, _ = encoding.squash(melody if isinstance(melody, Melody) else Melody(melody))
    return encoding.encode(squashed)


def list_models() -> list[str]:
    """The names of the built-in models, which `load` takes, best first."""
    from ostinato.shipped import SHIPPED_MODELS

    return list(SHIPPED_MODELS)


def load(path: str | os.PathLike[str] | None = None) -> "Model":
    """A trained model, ready to play.

    Args:
        path: a .mag bundle, ours or Magenta's, a checkpoint, a run_dir, or the name of a model that comes with Ostinato
            (`list_models` lists them); None for the best of these.

    Raises:
        OstinatoError: if it is none of these, or damaged.
    """
    from ostinato.bundle import load_bundle
    from ostinato.generation.model import Model
    from ostinato.shipped import BEST_MODEL, model_path

    return Model(load_bundle(model_path(BEST_MODEL if path is None else path)))


_best_model = functools.cache(load)


def _played(options: Callable[P, GenerationOptions]) -> Callable[P, MelodyList]:
    def generate(*args: P.args, **keywords: P.kwargs) -> MelodyList:
        """Make melodies with the best built-in model: `Model.generate` of `load()`, with the same arguments."""
        return _best_model().make(options(*args, **keywords))

    generate.__signature__ = inspect.signature(options).replace(return_annotation=MelodyList)  # type: ignore[attr-defined]
    return generate


generate = _played(GenerationOptions)


def harmonize(
    melody: Melody, key: "str | Key | None" = None, *, chords_per_bar: int = 1, alternatives: int = 1
) -> MelodyList:
    """The melody with chords, in several ways if you ask for them; see `ostinato.music.harmony.harmonize`."""
    from ostinato.music.harmony import harmonize

    return harmonize(melody, key, chords_per_bar=chords_per_bar, alternatives=alternatives)


def write(
    melody: Melody,
    path: str | os.PathLike[str],
    *,
    qpm: float = 120.0,
    key: "str | Key | None" = None,
    title: str = "",
    accompaniment: "Accompaniment | None" = None,
) -> None:
    """Write a melody, and the names of its chords, as the file that the ending of its name says, whole or not at all.

    Args:
        melody: what to write.
        path: a MIDI file (.mid), a score in ABC or MusicXML (.abc, .musicxml), or sound (.wav).
        qpm: quarter notes a minute, above 0.
        key: what a score is written in, such as "D dorian"; estimated if absent.
        title: above a score.
        accompaniment: how the chords are played in a MIDI file or as sound: "block", "arpeggio" or "bass"; see
            `ostinato.music.chords.accompany`. If absent, they are not.

    Raises:
        SettingsError: if the name ends otherwise, there is no such key or accompaniment, the melody has no chords to
            play, or the tempo cannot be.
    """
    ending = Path(path).suffix.lower()
    # Which refuses tempos that cannot be.
    sequence = melody.to_note_sequence(qpm, accompaniment=accompaniment)
    if ending in (".mid", ".midi"):
        from ostinato.formats.midi.writer import write_midi

        write_midi(sequence, path)
    elif ending == ".wav":
        from ostinato.sound.synthesizer import synthesize
        from ostinato.sound.wav import write_wav

        write_wav(path, synthesize(sequence, sample_rate=_SAMPLE_RATE), _SAMPLE_RATE)
    elif ending in (".abc", ".musicxml", ".xml"):
        from ostinato.formats import atomic_writer
        from ostinato.formats.scores.abc_writer import sheets_to_abc
        from ostinato.formats.scores.musicxml_writer import sheet_to_musicxml
        from ostinato.music.keys import parse_key
        from ostinato.music.notation import notate

        sheet = notate(melody, key=parse_key(key) if isinstance(key, str) else key, qpm=qpm, title=title)
        with atomic_writer(path) as file:
            file.write(sheets_to_abc([sheet]).encode() if ending == ".abc" else sheet_to_musicxml(sheet))
    else:
        raise SettingsError(f"{os.fspath(path)}: a melody is written as {_ENDINGS}, not as {ending or 'no ending'}")
