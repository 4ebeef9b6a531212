"""The endpoints of the JSON API: from a request to an answer."""

import asyncio
import io
import re
import secrets
import time
import zipfile
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import ostinato
from ostinato.formats.midi.writer import note_sequence_to_midi
from ostinato.generation.model import Model
from ostinato.generation.trace import StepTrace, Traced
from ostinato.studio.candidates import Candidate, candidates
from ostinato.studio.models import Models
from ostinato.studio.openapi import document
from ostinato.studio.schema import (
    MAX_BARS,
    MAX_FILL_BARS,
    MAX_STEPS,
    MAX_VARIATIONS,
    Error,
    Generated,
    GenerateRequest,
    Limits,
    MidiRequest,
    ModelList,
    Step,
    Track,
    Tracks,
    Variation,
    WavRequest,
    read_request,
    shown,
)
from ostinato.studio.security import MAX_UPLOAD_BYTES, BusyError, Workers, json_response, read_json, read_midi

T = TypeVar("T")

_DECIMALS = 6  # of a probability, of which there are six a step; more digits would only be sent
_ATTENTION_DECIMALS = 4  # of a weight: there are 40 a step
_SEED_BITS = 32  # of a new seed: few enough digits to note down
_SAMPLE_RATE = 44_100  # a CD's, which everything plays
_MAX_FILE_NAME = 100  # characters of an uploaded file's name in errors
_MAX_WRITTEN_NAME = 60  # and of one that is written
_RETRY_SECONDS = "1"


class Api:
    """The endpoints.

    Args:
        models: what can be played.
        workers: who does what takes time.
    """

    def __init__(self, models: Models, workers: Workers) -> None:
        self._models = models
        self._workers = workers

    def routes(self) -> list[Route]:
        """Where each endpoint is."""
        return [
            Route("/api/models", self.models, methods=["GET"]),
            Route("/api/generate", self.generate, methods=["POST"]),
            Route("/api/primer", self.primer, methods=["POST"]),
            Route("/api/midi", self.midi, methods=["POST"]),
            Route("/api/wav", self.wav, methods=["POST"]),
            Route("/api/openapi.json", self.openapi, methods=["GET"]),
        ]

    async def models(self, _request: Request) -> Response:
        """What can be played, and how much may be asked for."""
        limits = Limits(
            max_steps=MAX_STEPS,
            max_bars=MAX_BARS,
            max_fill_bars=MAX_FILL_BARS,
            max_variations=MAX_VARIATIONS,
            max_upload_bytes=MAX_UPLOAD_BYTES,
        )
        # Not the workers' work: the page must open even when they have much to do.
        cards = await asyncio.to_thread(self._models.cards)
        return json_response(ModelList(models=cards, limits=limits, version=ostinato.__version__))

    async def generate(self, request: Request) -> Response:
        """Melodies, and why they came out so."""
        asked = read_request(await read_json(request), GenerateRequest)

        def work() -> Response:
            name = asked.model or self._models.default
            return json_response(generated(self._models.model(name), name, asked))

        return await self._do(work, request)

    async def primer(self, request: Request) -> Response:
        """The melodies of a MIDI file."""
        name = request.query_params.get("filename") or request.headers.get("filename") or "the file"
        name = "".join(character for character in name[:_MAX_FILE_NAME] if character.isprintable())
        data = await read_midi(request)
        found = await self._do(lambda: candidates(data, name), request)
        return json_response(Tracks([_track(candidate) for candidate in found]))

    async def midi(self, request: Request) -> Response:
        """A MIDI file, or several in an archive."""
        asked = read_request(await read_json(request), MidiRequest)
        if len(asked.melodies) == 1:
            data = await self._do(lambda: midi_file(asked), request)
            return _file(data, "audio/midi", file_names(asked)[0])
        data = await self._do(lambda: midi_archive(asked), request)
        return _file(data, "application/zip", "melodies.zip")

    async def wav(self, request: Request) -> Response:
        """A sound file."""
        asked = read_request(await read_json(request), WavRequest)
        data = await self._do(lambda: wav_file(asked), request)
        return _file(data, "audio/wav", "melody.wav")

    async def openapi(self, _request: Request) -> Response:
        """What describes all this."""
        return json_response(document())

    async def _do(self, work: Callable[[], T], request: Request) -> T:
        return await self._workers.do(work, _vanished(request))


async def refuse_http(request: Request, error: Exception) -> Response:
    """What Starlette or we refuse by its status."""
    assert isinstance(error, HTTPException)
    detail = {
        404: f"there is nothing at {shown(request.url.path)}",
        405: f"{request.method} is no method of {shown(request.url.path)}; use {(error.headers or {}).get('Allow')}",
    }.get(error.status_code, error.detail)
    return _with_headers(json_response(Error(str(detail)), error.status_code), dict(error.headers or {}))


async def refuse(_request: Request, error: Exception) -> Response:
    """What cannot be done as it was asked for."""
    if isinstance(error, BusyError):
        return _with_headers(json_response(Error(str(error)), 503), {"Retry-After": _RETRY_SECONDS})
    return json_response(Error(str(error)), 400)


def generated(model: Model, name: str, request: GenerateRequest) -> Generated:
    """Make melodies.

    Args:
        model: what makes them.
        name: what it is called.
        request: how many, how long, and so on.

    Raises:
        SettingsError: if the model cannot do what is asked for.
    """
    seed = secrets.randbits(_SEED_BITS) if request.seed is None else request.seed
    began = time.perf_counter()
    made = model.make_traced(request.options(seed))
    return Generated(
        model=name,
        seed=seed,
        steps_per_bar=request.one_meter.steps_per_bar,
        meter=str(request.one_meter),
        milliseconds=round(1000 * (time.perf_counter() - began), 1),
        variations=[_variation(each, request) for each in made],
    )


def midi_file(request: MidiRequest) -> bytes:
    """The one melody of a request as a MIDI file."""
    (asked,) = request.melodies
    return note_sequence_to_midi(asked.melody().to_note_sequence(request.qpm))


def midi_archive(request: MidiRequest) -> bytes:
    """The melodies of a request as MIDI files in a zip archive, in order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, asked in zip(file_names(request), request.melodies, strict=True):
            archive.writestr(name, note_sequence_to_midi(asked.melody().to_note_sequence(request.qpm)))
    return buffer.getvalue()


def file_names(request: MidiRequest) -> list[str]:
    """A name for the MIDI file of each melody: as asked for, in letters, digits, space, - and _, no two the same."""
    digits = len(str(len(request.melodies)))
    asked = request.names or [f"melody-{number:0{digits}}" for number in range(1, len(request.melodies) + 1)]
    names: list[str] = []
    taken: set[str] = set()
    for name in asked:
        # Letters of any language, but no point: it could lead out of the folder or hide the file.
        wanted = re.sub(r"[^\w\- ]+", "_", name.removesuffix(".mid"))[:_MAX_WRITTEN_NAME].strip(" _") or "melody"
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

    sequence = request.melody().to_note_sequence(request.qpm)
    return wav_bytes(synthesize(sequence, sample_rate=_SAMPLE_RATE), _SAMPLE_RATE)


async def _vanished(request: Request) -> None:
    """Returns when the client has gone; its body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _track(candidate: Candidate) -> Track:
    return Track(
        track=candidate.track,
        name=candidate.name,
        events=candidate.melody.events,
        steps_per_bar=candidate.melody.steps_per_bar,
        meter=str(candidate.melody.meter),
        ends=candidate.melody.ends,
        # MIDI counts a quarter in whole microseconds: of 90 quarters a minute it makes 89.99996.
        qpm=round(candidate.qpm, 3),
        num_notes=len(candidate.melody.pitches),
        length=candidate.length,
    )


def _variation(traced: Traced, request: GenerateRequest) -> Variation:
    explain, bar = request.explain, traced.melody.steps_per_bar
    return Variation(
        events=traced.melody.events,
        primer_steps=traced.primer_steps,
        kept_steps=len(traced.melody) - request.fill[1] * bar if request.fill else 0,
        ends=traced.melody.ends,
        log_likelihood=round(traced.log_likelihood, _DECIMALS),
        steps=[_step(step) for step in traced.steps] if explain else [],
        attention=_rows(traced.attention) if explain and traced.attention is not None else None,
    )


def _step(step: StepTrace) -> Step:
    return Step(
        step=step.step,
        event=step.event,
        probability=round(step.probability, _DECIMALS),
        repeat_steps=step.repeat_steps,
        candidates=[(event, round(probability, _DECIMALS)) for event, probability in step.candidates],
    )


def _rows(weights: NDArray[np.float32]) -> list[list[float]]:
    # Rounded as float64: a rounded float32 has all its digits again when it is written.
    rows: list[list[float]] = weights.astype(np.float64).round(_ATTENTION_DECIMALS).tolist()
    return rows


def _file(data: bytes, media_type: str, name: str) -> Response:
    disposition = f"attachment; filename*=UTF-8''{quote(name)}"
    return Response(data, media_type=media_type, headers={"Content-Disposition": disposition})


def _with_headers(response: Response, headers: dict[str, str]) -> Response:
    response.headers.update(headers)
    return response
