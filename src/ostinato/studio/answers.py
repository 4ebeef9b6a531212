"""What the API answers: melodies and how they came about as JSON values, MIDI files, archives and sound."""

import io
import re
import secrets
import time
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.formats.midi.writer import note_sequence_to_midi
from ostinato.generation.model import Model
from ostinato.generation.trace import StepTrace, Traced
from ostinato.studio.requests import GenerateRequest, MidiRequest, WavRequest

_DECIMALS = 6  # of a probability
_ATTENTION_DECIMALS = 4
_SEED_BITS = 32
_SAMPLE_RATE = 44_100
_MAX_FILE_NAME = 60


def generate(model: Model, name: str, request: GenerateRequest) -> dict[str, Any]:
    """Make melodies.

    Args:
        model: what makes them.
        name: what it is called.
        request: how many, how long, and so on.

    Returns:
        JSON values as `openapi` describes them under `Generated`.

    Raises:
        SettingsError: if the model cannot do what is asked for.
    """
    seed = secrets.randbits(_SEED_BITS) if request.seed is None else request.seed
    began = time.perf_counter()
    made = model.generate_traced(
        request.num_steps,
        request.primer,
        temperature=request.temperature,
        num_outputs=request.variations,
        seed=seed,
        steps_per_bar=request.steps_per_bar,
        top_k=request.top_k,
        top_p=request.top_p,
        key=request.key,
        min_note=request.min_note,
        max_note=request.max_note,
    )
    return {
        "model": name,
        "seed": seed,
        "steps_per_bar": request.steps_per_bar,
        "milliseconds": round(1000 * (time.perf_counter() - began), 1),
        "variations": [_variation(each, request.explain) for each in made],
    }


def midi_file(request: MidiRequest) -> bytes:
    """The one melody of a request as a MIDI file."""
    (melody,) = request.melodies
    return note_sequence_to_midi(melody.to_note_sequence(request.qpm))


def midi_archive(request: MidiRequest) -> bytes:
    """The melodies of a request as MIDI files in a zip archive, in order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, melody in zip(file_names(request), request.melodies, strict=True):
            archive.writestr(name, note_sequence_to_midi(melody.to_note_sequence(request.qpm)))
    return buffer.getvalue()


def file_names(request: MidiRequest) -> list[str]:
    """A name for the MIDI file of each melody: as asked for, in letters, digits, space, - and _, no two the same."""
    digits = len(str(len(request.melodies)))
    asked = request.names or [f"melody-{number:0{digits}}" for number in range(1, len(request.melodies) + 1)]
    names: list[str] = []
    taken: set[str] = set()
    for name in asked:
        # Letters of any language, but no point: it could lead out of the folder or hide the file.
        wanted = re.sub(r"[^\w\- ]+", "_", name.removesuffix(".mid"))[:_MAX_FILE_NAME].strip(" _") or "melody"
        free, number = wanted, 1
        while free.lower() in taken:
            number += 1
            free = f"{wanted}-{number}"
        taken.add(free.lower())
        names.append(f"{free}.mid")
    return names


def wav_file(request: WavRequest) -> bytes:
    """The melody of a request as a WAV file."""
    # What only sound needs is loaded when the first sound is asked for.
    from ostinato.sound.synthesizer import synthesize
    from ostinato.sound.wav import wav_bytes

    sequence = request.melody.to_note_sequence(request.qpm)
    return wav_bytes(synthesize(sequence, sample_rate=_SAMPLE_RATE), _SAMPLE_RATE)


def _variation(traced: Traced, explain: bool) -> dict[str, Any]:
    return {
        "events": list(traced.melody),
        "primer_steps": traced.primer_steps,
        "log_likelihood": round(traced.log_likelihood, _DECIMALS),
        "steps": [_step(step) for step in traced.steps] if explain else [],
        "attention": _rows(traced.attention) if explain and traced.attention is not None else None,
    }


def _step(step: StepTrace) -> dict[str, Any]:
    return {
        "step": step.step,
        "event": step.event,
        "probability": round(step.probability, _DECIMALS),
        "repeat_steps": step.repeat_steps,
        "candidates": [[event, round(probability, _DECIMALS)] for event, probability in step.candidates],
    }


def _rows(weights: NDArray[np.float32]) -> list[list[float]]:
    # Rounded as float64: a rounded float32 has all its digits again when it is written.
    rows: list[list[float]] = weights.astype(np.float64).round(_ATTENTION_DECIMALS).tolist()
    return rows
