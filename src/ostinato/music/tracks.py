"""The tracks of a piece: what plays them, and which is the melody, judged by its notes and its name.

The weights were fitted to 909 Chinese pop songs whose vocal line, second line
and piano are known, and to 29 band arrangements, karaoke files and songs with
orchestra that were labeled by hand, each group counting the same; then they
were rounded. A weight says how much a whole unit of its evidence is worth; if
the scores of two tracks differ by 1, the odds are about 3 to 1.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.formats.wire import note_columns
from ostinato.music.melody import NOTES_PER_OCTAVE, pitch_name

# What a melody plays. One voice, which is sung or could be:
_ONE_AT_A_TIME = 4.0  # share of its sounding time with one note; chords have next to none
_BY_STEP = 3.0  # share of its moves that are by one or two semitones; accompaniments leap
_REPEATED = 4.0  # share of its moves that repeat the note, as syllables do, up to
_MOST_REPEATED = 0.25  # a quarter, for a riff repeats more than that
# in the range of a voice:
_WIDE = -2.0  # each octave of its range (leaving out the outer twentieths) beyond
_VOICE_RANGE = 14  # semitones, a ninth
_LOW = -2.0  # each octave of its median pitch below
_LOWEST_MEDIAN = 57  # A3: half of a low voice's notes are above it, and hardly one of a bass's
# with something to say, but at a singer's pace:
_PRESENT = 4.0  # attacks a second, of the whole piece, up to
_ENOUGH_ATTACKS = 1.2  # as many as a song has syllables, rests included; a fill or an answer has fewer
_HURRIED = -3.0  # each time that its pace, in attacks a second while it sounds, doubles beyond
_SINGERS_PACE = 4.0

# What it is played on. That says little where a sequencer's voice is a piano like everything else.
_PROGRAM_WEIGHTS = {"solo": 0.5, "background": -0.5, "bass": -1.0}
_PROGRAMS = {
    # drawbar to reed organ are chords, the accordion and harmonica (21..22) tunes
    **dict.fromkeys((21, 22, 40, *range(52, 55), *range(64, 69), 71, *range(72, 80), *range(80, 88)), "solo"),
    # ensembles of strings, pads, effects, percussion
    **dict.fromkeys((*range(44, 52), 55, *range(88, 104), *range(112, 128)), "background"),
    **dict.fromkeys(range(32, 40), "bass"),
}

# What it is called. A name outweighs what is played, unless that is out of the question.
_MELODY_NAME = 3.0
_BACKING_NAME = -2.0
_MELODY_WORDS = re.compile(
    r"melod|mélod|mel\b|vocal|voca\b|voice|vocals|\bvox\b|\blead|\bsing|\bsolo\b|\btune\b|\btheme\b|\btopline|lyric"
    r"|\bchant|\bvoix\b|\bcanto|\bvoz\b|cantante|gesang|\bstimme\b|\bsang\b|zang|soprano|\bcantus\b|\bdiscant"
    r"|\bflute|\bflöte|\bflauto|мелоди|вокал|голос|соло|旋律|主唱|人声|歌|メロディ|ボーカル|멜로디|보컬",
    re.IGNORECASE,
)
_BACKING_WORDS = re.compile(
    r"back|\bbg\b|\bbgv\b|\bb\.? ?voc|\bharmon(?:y|ies)\b|support|choir|chœur|\bchor\b|bass|\bbajo\b|drum|\bperc|schlag"
    r"|chord|accord|akkord|acorde|\bacc\b|accomp|begleit|string|\bpad|rhythm|\brhy|\barp|left|\blh\b|和声|伴奏|бас|ударн"  # noqa: RUF001 (bass and drums in Russian)
    r"|コード|ベース|ドラム|베이스|드럼",
    re.IGNORECASE,
)
# General MIDI calls eight synthesizers leads, and some editors name each track by its program.
_PROGRAM_NAMES = re.compile(
    r"(?:square|saw\w*|calliope|chiff\w*|charang|voice|fifths?|bass)[ +]*(?:wave[ +]*)?lead|lead \d", re.IGNORECASE
)

_DRUMS = -20.0  # below whatever else there is
_TOGETHER_SECONDS = 0.03  # attacks that are heard as one chord
_MOST = 0.9  # from here on it is "one note at a time"
_FEW = 0.5  # below it is chords


@dataclass(frozen=True, slots=True)
class TrackEvidence:
    """The evidence for and against a track as the melody.

    Attributes:
        track: number of its instrument in the NoteSequence.
        name: the instrument's name, or "" if it has none.
        program: of General MIDI, 0..127.
        is_drum: whether it is a drum track.
        num_notes: how many notes it has.
        lowest: its lowest pitch.
        highest: its highest pitch.
        median: its median pitch; for a chord the highest note counts.
        one_at_a_time: of the time in which it sounds, the share with one note, 0 to 1.
        by_step: share of its moves that are by one or two semitones, 0 to 1.
        repeated: share of its moves that stay on the pitch, 0 to 1.
        octaves: its range, without the lowest and highest twentieth of its notes.
        attacks_per_second: how often it starts a note or a chord, over the whole piece.
        pace: the same, over the time in which it sounds.
        score: the higher, the more likely it is the melody.
        reason: the evidence for and against it, in a few words.
    """

    track: int
    name: str
    program: int
    is_drum: bool
    num_notes: int
    lowest: int
    highest: int
    median: float
    one_at_a_time: float
    by_step: float
    repeated: float
    octaves: float
    attacks_per_second: float
    pace: float
    score: float
    reason: str


def rank_tracks(note_sequence: NoteSequence) -> list[TrackEvidence]:
    """The evidence for and against each track as the melody, the most likely first.

    The second is the runner-up. Of equal ones, the one with the lower number
    comes first. Tracks without notes are left out.

    Args:
        note_sequence: notes and times in seconds.
    """
    columns = note_columns(note_sequence)
    names = {info.instrument: info.name.strip("\0 ") for info in note_sequence.instrument_infos}
    programs = {note.instrument: note.program for note in note_sequence.notes}
    piece_seconds = float(columns.end_time.max(initial=0.0) - columns.start_time.min(initial=np.inf))
    tracks = []
    for track in sorted(programs):
        (chosen,) = (columns.instrument == track).nonzero()
        # Of a chord the highest note comes first, which is its melody's.
        chosen = chosen[np.lexsort((-columns.pitch[chosen], columns.start_time[chosen]))]
        tracks.append(
            _evidence(
                track,
                names.get(track, ""),
                programs[track],
                bool(columns.is_drum[chosen[0]]),
                columns.pitch[chosen],
                columns.start_time[chosen],
                columns.end_time[chosen],
                piece_seconds,
            )
        )
    return sorted(tracks, key=lambda evidence: -evidence.score)


def _evidence(
    track: int,
    name: str,
    program: int,
    is_drum: bool,
    pitch: NDArray[np.int64],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    piece_seconds: float,
) -> TrackEvidence:
    """The evidence for a track whose N >= 1 notes are sorted by their starts, the highest of a chord first."""
    sounding, alone = _sounding_seconds(start, end)
    attacks = np.append(True, np.diff(start) > _TOGETHER_SECONDS)
    top = pitch[attacks]
    moves = np.abs(np.diff(top))
    low, high = np.percentile(top, (5, 95))
    found = {
        "median": float(np.median(top)),
        "one_at_a_time": alone / sounding if sounding else 1.0,
        "by_step": float(((moves == 1) | (moves == 2)).mean()) if len(moves) else 0.0,
        "repeated": float((moves == 0).mean()) if len(moves) else 0.0,
        "octaves": float(high - low) / NOTES_PER_OCTAVE,
        "attacks_per_second": len(top) / piece_seconds if piece_seconds > 0 else 0.0,
        "pace": len(top) / sounding if sounding else 0.0,
    }
    lowest, highest = int(pitch.min()), int(pitch.max())
    score = _DRUMS if is_drum else _score(found) + _PROGRAM_WEIGHTS.get(_PROGRAMS.get(program, ""), 0.0)
    reasons = ["drums"] if is_drum else _reasons(found, program, lowest, highest)
    if not is_drum:
        called = _name_score(name)
        score += called
        if called:
            reasons.insert(0, f'called "{name}"')
    return TrackEvidence(
        track, name, program, is_drum, len(pitch), lowest, highest, **found, score=score, reason=", ".join(reasons)
    )


def _sounding_seconds(start: NDArray[np.float64], end: NDArray[np.float64]) -> tuple[float, float]:
    """How long any of the notes sounds, and how long exactly one."""
    times = np.concatenate((start, end))
    order = times.argsort(kind="stable")
    number = np.repeat((1, -1), len(start))[order].cumsum()[:-1]  # of notes that sound from each time to the next
    seconds = np.diff(times[order])
    return float(seconds[number > 0].sum()), float(seconds[number == 1].sum())


def _score(found: Mapping[str, float]) -> float:
    hurry = np.log2(max(found["pace"], _SINGERS_PACE) / _SINGERS_PACE)
    return float(
        _ONE_AT_A_TIME * found["one_at_a_time"]
        + _BY_STEP * found["by_step"]
        + _REPEATED * min(found["repeated"], _MOST_REPEATED)
        + _WIDE * max(0.0, found["octaves"] - _VOICE_RANGE / NOTES_PER_OCTAVE)
        + _LOW * max(0.0, _LOWEST_MEDIAN - found["median"]) / NOTES_PER_OCTAVE
        + _PRESENT * min(1.0, found["attacks_per_second"] / _ENOUGH_ATTACKS)
        + _HURRIED * hurry
    )


def _name_score(name: str) -> float:
    """What a name is worth. A backing vocal, or a melody's support, is neither a vocal nor a melody."""
    plain = _PROGRAM_NAMES.sub("", name)
    melody, backing = _MELODY_WORDS.search(plain), _BACKING_WORDS.search(name)
    if backing:
        return _BACKING_NAME
    return _MELODY_NAME if melody else 0.0


def _reasons(found: Mapping[str, float], program: int, lowest: int, highest: int) -> list[str]:
    """The evidence in words, as a musician would say it."""
    one, octaves = found["one_at_a_time"], found["octaves"]
    said = [
        ("one note at a time", one >= _MOST),
        ("chords", one < _FEW),
        ("bass", _PROGRAMS.get(program) == "bass"),
        ("low", found["median"] < _LOWEST_MEDIAN),
        ("moves mostly by step", found["by_step"] + found["repeated"] >= _FEW and found["by_step"] > found["repeated"]),
        ("repeats its notes", found["repeated"] > _FEW),
        ("few notes", found["attacks_per_second"] < _ENOUGH_ATTACKS / 2),
        ("fast", found["pace"] > 2 * _SINGERS_PACE),
        ("wide range", octaves > 1 + _VOICE_RANGE / NOTES_PER_OCTAVE),
    ]
    return [*(words for words, is_so in said if is_so), f"{pitch_name(lowest)} to {pitch_name(highest)}"]


PROGRAM_NAMES = (
    *("Acoustic Grand Piano", "Bright Acoustic Piano", "Electric Grand Piano", "Honky-tonk Piano"),
    *("Electric Piano 1", "Electric Piano 2", "Harpsichord", "Clavinet"),
    *("Celesta", "Glockenspiel", "Music Box", "Vibraphone", "Marimba", "Xylophone", "Tubular Bells", "Dulcimer"),
    *("Drawbar Organ", "Percussive Organ", "Rock Organ", "Church Organ"),
    *("Reed Organ", "Accordion", "Harmonica", "Tango Accordion"),
    *("Nylon Guitar", "Steel Guitar", "Jazz Guitar", "Clean Guitar"),
    *("Muted Guitar", "Overdriven Guitar", "Distortion Guitar", "Guitar Harmonics"),
    *("Acoustic Bass", "Fingered Bass", "Picked Bass", "Fretless Bass"),
    *("Slap Bass 1", "Slap Bass 2", "Synth Bass 1", "Synth Bass 2"),
    *("Violin", "Viola", "Cello", "Contrabass", "Tremolo Strings", "Pizzicato Strings", "Orchestral Harp", "Timpani"),
    *("String Ensemble 1", "String Ensemble 2", "Synth Strings 1", "Synth Strings 2"),
    *("Choir Aahs", "Voice Oohs", "Synth Voice", "Orchestra Hit"),
    *("Trumpet", "Trombone", "Tuba", "Muted Trumpet", "French Horn", "Brass Section", "Synth Brass 1", "Synth Brass 2"),
    *("Soprano Sax", "Alto Sax", "Tenor Sax", "Baritone Sax", "Oboe", "English Horn", "Bassoon", "Clarinet"),
    *("Piccolo", "Flute", "Recorder", "Pan Flute", "Blown Bottle", "Shakuhachi", "Whistle", "Ocarina"),
    *("Square Lead", "Sawtooth Lead", "Calliope Lead", "Chiff Lead"),
    *("Charang Lead", "Voice Lead", "Fifths Lead", "Bass and Lead"),
    *("New Age Pad", "Warm Pad", "Polysynth Pad", "Choir Pad", "Bowed Pad", "Metallic Pad", "Halo Pad", "Sweep Pad"),
    *("Rain", "Soundtrack", "Crystal", "Atmosphere", "Brightness", "Goblins", "Echoes", "Sci-fi"),
    *("Sitar", "Banjo", "Shamisen", "Koto", "Kalimba", "Bagpipe", "Fiddle", "Shanai"),
    *("Tinkle Bell", "Agogo", "Steel Drums", "Woodblock", "Taiko Drum", "Melodic Tom", "Synth Drum", "Reverse Cymbal"),
    *("Guitar Fret Noise", "Breath Noise", "Seashore", "Bird Tweet"),
    *("Telephone Ring", "Helicopter", "Applause", "Gunshot"),
)
"""128 names: that of program 0 first."""


def instrument_name(program: int, *, is_drum: bool = False) -> str:
    """What plays a program, 0..127, of General MIDI: "Violin" is 40; on the channel of the drums it is "Drums"."""
    if is_drum:
        return "Drums"
    return PROGRAM_NAMES[program] if 0 <= program < len(PROGRAM_NAMES) else f"Program {program}"
