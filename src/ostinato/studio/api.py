"""The JSON API: its endpoints, and the primers that a file holds."""

import asyncio
import io
import re
import secrets
import time
import zipfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import quote

import msgspec
import numpy as np
from numpy.typing import NDArray
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import ostinato
from ostinato.dataset.convert import music_of
from ostinato.dataset.melodies import tracks_of
from ostinato.errors import DataError
from ostinato.formats.midi.writer import note_sequence_to_midi
from ostinato.formats.scores.abc_writer import sheets_to_abc
from ostinato.formats.scores.musicxml_writer import sheet_to_musicxml
from ostinato.generation.model import Model
from ostinato.generation.trace import StepTrace, Traced
from ostinato.music.chords import accompany, chords_between, parse_chord, parse_chords
from ostinato.music.harmony import harmonize
from ostinato.music.keys import MODES, parse_key
from ostinato.music.melody import Melody
from ostinato.music.meter import STEPS_PER_QUARTER, parse_meter
from ostinato.music.notation import notate
from ostinato.music.tracks import rank_tracks
from ostinato.studio.filling import fill
from ostinato.studio.learning import Learner
from ostinato.studio.models import Models
from ostinato.studio.openapi import BUNDLE_TYPE, SCORE_TYPES, document
from ostinato.studio.schema import (
    CLIENT_HEADER,
    MAX_BARS,
    MAX_CLIENT_NAME,
    MAX_FILL_BARS,
    MAX_PRIMER_STEPS,
    MAX_STEPS,
    MAX_STEPS_PER_BAR,
    MAX_TRACKS,
    MAX_VARIATIONS,
    ChordSound,
    ChordSounds,
    ChordsRequest,
    Error,
    Generated,
    GenerateRequest,
    Harmonized,
    HarmonizeRequest,
    LearnRequest,
    Limits,
    MelodyJson,
    MidiRequest,
    ModelList,
    Queue,
    ScoreRequest,
    Step,
    Track,
    Tracks,
    Variation,
    WavRequest,
    read_request,
    shown,
)
from ostinato.studio.security import (
    MAX_UPLOAD_BYTES,
    json_response,
    read_json,
    read_midi,
)
from ostinato.studio.workers import BusyError, Client, Players, Workers


@dataclass(frozen=True, slots=True)
class Candidate:
    """A melody that may be a primer.

    Attributes:
        track: number of its track among those with notes, of all tunes of the file.
        name: of the track, "" where it has none; of several tunes the tune's.
        melody: its first whole bars, up to 512 steps; or to its end.
        length: of all of it, in steps.
        qpm: quarter notes a minute.
    """

    track: int
    name: str
    melody: Melody
    length: int
    qpm: float


def candidates(data: bytes, name: str) -> list[Candidate]:
    """The longest melody of each track, the likeliest one of each tune first.

    A change of tempo or meter ends a melody, drums hold none, and of a
    polyphonic track it is the top line.

    Args:
        data: the bytes of the file.
        name: what to call it in errors.

    Raises:
        FormatError: if it is no music, or a damaged file; it says where.
        DataError: if there is no melody in it, or more tracks than anyone could choose from.
    """
    tunes = music_of(data, name)
    found: list[Candidate] = []
    refused = DataError(f"{name}: there is no tune in it; choose another file")
    num_tracks = 0
    for tune in tunes:
        try:
            tracks = tracks_of(tune)
        except DataError as error:
            refused = error
            continue
        title = f"Tune {tune.reference_number}" if len(tunes) > 1 else ""
        likeliest = [evidence.track for evidence in rank_tracks(tune) if evidence.track in tracks]
        found += [
            Candidate(
                num_tracks + track,
                ", ".join(filter(None, (title, tracks[track].track_name))),
                _cut(tracks[track].melody),
                len(tracks[track].melody),
                tracks[track].qpm,
            )
            for track in likeliest
        ]
        num_tracks += max(tracks) + 1
    if not found:
        raise refused
    short = [candidate for candidate in found if candidate.melody.steps_per_bar <= MAX_STEPS_PER_BAR]
    if not short:
        raise DataError(f"{name}: its bars are longer than {MAX_STEPS_PER_BAR} 16th notes; choose another file")
    if len(short) > MAX_TRACKS:
        raise DataError(f"{name}: it has {len(short)} tracks, and at most {MAX_TRACKS} can be shown")
    return short


def _cut(melody: Melody) -> Melody:
    """Its first bars, as long as a primer may be."""
    if len(melody) <= MAX_PRIMER_STEPS:
        return replace(melody, start_step=0)
    whole_bars = MAX_PRIMER_STEPS - MAX_PRIMER_STEPS % melody.steps_per_bar
    chords = chords_between(melody.chords, 0, whole_bars)
    return Melody(melody.events[:whole_bars], meter=melody.meter, chords=chords)


T = TypeVar("T")

_DECIMALS = 6  # of a probability, of which there are six a step; more digits would only be sent
_ATTENTION_DECIMALS = 4  # of a weight: there are 40 a step
_SEED_BITS = 32  # of a new seed: few enough digits to note down
_CLICK = 76  # of General MIDI's drums: the high wood block
_SAMPLE_RATE = 44_100  # a CD's, which everything plays
_MAX_FILE_NAME = 100  # characters of an uploaded file's name in errors
_MAX_WRITTEN_NAME = 60  # and of one that is written


class Api:
    """The endpoints.

    Args:
        models: what can be played.
        workers: who does what takes time.
        players: processes that make melodies; without them the workers do it themselves.
        learner: who trains models; one that adds them to the others if it is not given.
    """

    def __init__(
        self, models: Models, workers: Workers, players: Players | None = None, learner: Learner | None = None
    ) -> None:
        self._models = models
        self._workers = workers
        self._players = players
        self._learner = learner or Learner(models)

    def routes(self) -> list[Route]:
        """Where each endpoint is."""
        return [
            Route("/api/models", self.models, methods=["GET"]),
            Route("/api/generate", self.generate, methods=["POST"]),
            Route("/api/queue", self.queue, methods=["GET"]),
            Route("/api/primer", self.primer, methods=["POST"]),
            Route("/api/harmonize", self.harmonize, methods=["POST"]),
            Route("/api/chords", self.chords, methods=["POST"]),
            Route("/api/midi", self.midi, methods=["POST"]),
            Route("/api/wav", self.wav, methods=["POST"]),
            Route("/api/score", self.score, methods=["POST"]),
            _route("/api/tunes", POST=self.put_tune, GET=self.tunes, DELETE=self.drop_tunes),
            _route("/api/learn", POST=self.learn, GET=self.learning, DELETE=self.cancel_learning),
            Route("/api/bundle", self.bundle, methods=["GET"]),
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
        return json_response(ModelList(models=cards, modes=MODES, limits=limits, version=ostinato.__version__))

    async def generate(self, request: Request) -> Response:
        """Melodies, and why they came out so."""
        body = await read_json(request)
        read_request(body, GenerateRequest)  # what cannot be is refused without waiting
        players = self._players
        data = await self._do(lambda: players.make(body) if players else answer_to(body, self._models), request)
        return Response(data, media_type="application/json")

    async def queue(self, request: Request) -> Response:
        """How long the client that asks has to wait for what it asked for."""
        ahead, seconds = self._workers.ahead(_client(request)) or (None, None)
        return json_response(Queue(ahead=ahead, seconds=None if seconds is None else round(seconds, 1)))

    async def primer(self, request: Request) -> Response:
        """The melodies of a MIDI file."""
        name = request.query_params.get("filename") or request.headers.get("filename") or "the file"
        name = "".join(character for character in name[:_MAX_FILE_NAME] if character.isprintable())
        data = await read_midi(request)
        found = await self._do(lambda: candidates(data, name), request)
        return json_response(Tracks([_track(candidate) for candidate in found]))

    async def harmonize(self, request: Request) -> Response:
        """Chords for a melody."""
        asked = read_request(await read_json(request), HarmonizeRequest)
        return json_response(await self._do(lambda: harmonized(asked), request))

    async def chords(self, request: Request) -> Response:
        """Chords that were written, one by one."""
        asked = read_request(await read_json(request), ChordsRequest)
        return json_response(await self._do(lambda: sounding(asked), request))

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

    async def score(self, request: Request) -> Response:
        """A score."""
        asked = read_request(await read_json(request), ScoreRequest)
        data = await self._do(lambda: score_file(asked), request)
        return _file(data, SCORE_TYPES[asked.format], f"melody.{asked.format}")

    async def put_tune(self, request: Request) -> Response:
        """One more file to learn from."""
        data = await read_midi(request)
        name = request.query_params.get("filename", "")
        return json_response(await asyncio.to_thread(self._learner.put, _client(request), name, data))

    async def tunes(self, request: Request) -> Response:
        """What is in the files to learn from."""
        return json_response(await asyncio.to_thread(self._learner.report, _client(request)))

    async def drop_tunes(self, request: Request) -> Response:
        """Nothing to learn from."""
        return json_response(await asyncio.to_thread(self._learner.drop, _client(request)))

    async def learn(self, request: Request) -> Response:
        """Begin a training."""
        asked = read_request(await read_json(request), LearnRequest)
        return json_response(await asyncio.to_thread(self._learner.begin, _client(request), asked))

    async def learning(self, request: Request) -> Response:
        """How the training goes."""
        return json_response(await asyncio.to_thread(self._learner.state, _client(request)))

    async def cancel_learning(self, request: Request) -> Response:
        """No training."""
        return json_response(await asyncio.to_thread(self._learner.cancel, _client(request)))

    async def bundle(self, request: Request) -> Response:
        """A model that was trained here, as a file."""
        name = request.query_params.get("model", "")
        path = self._learner.bundle(name)
        return _file(await asyncio.to_thread(path.read_bytes), BUNDLE_TYPE, f"{name}.mag")

    async def openapi(self, _request: Request) -> Response:
        """What describes all this."""
        return json_response(document())

    async def _do(self, work: Callable[[], T], request: Request) -> T:
        return await self._workers.do(work, _vanished(request), _client(request))


def _route(path: str, **endpoints: Callable[[Request], Awaitable[Response]]) -> Route:
    """One path with an endpoint for each method; HEAD is GET's."""

    async def answer(request: Request) -> Response:
        return await endpoints["GET" if request.method == "HEAD" else request.method](request)

    return Route(path, answer, methods=list(endpoints))


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
        return _with_headers(json_response(Error(str(error)), 503), {"Retry-After": str(error.retry_seconds)})
    return json_response(Error(str(error)), 400)


def answer_to(body: bytes, models: Models) -> bytes:
    """The JSON of the answer to the body of a request for melodies.

    Raises:
        FormatError, SettingsError: if it is no such request, or cannot be answered.
    """
    asked = read_request(body, GenerateRequest)
    name = asked.model or models.default
    return msgspec.json.encode(generated(models.model(name), name, asked))


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
    made = fill(model, request, seed) if request.fill else model.make_traced(request.options(seed))
    return Generated(
        model=name,
        seed=seed,
        draw=request.draw,
        steps_per_bar=request.one_meter.steps_per_bar,
        meter=str(request.one_meter),
        milliseconds=round(1000 * (time.perf_counter() - began), 1),
        variations=[_variation(each, request) for each in made],
    )


def harmonized(request: HarmonizeRequest) -> Harmonized:
    """Chords for the melody of a request."""
    ways = harmonize(
        request.melody(), request.key, chords_per_bar=request.chords_per_bar, alternatives=request.alternatives
    )
    return Harmonized([way.chords for way in ways])


def sounding(request: ChordsRequest) -> ChordSounds:
    """The chords of a request, with their notes."""
    meter = parse_meter(request.meter)
    track, num_steps = parse_chords(request.chords, meter)
    chords = [
        ChordSound(
            step=step,
            name=name,
            root=parse_chord(name).root,
            pitches=[pitch for pitch, _, _ in accompany(((0, name),), 1, meter)],
        )
        for step, name in track
    ]
    return ChordSounds(num_steps=num_steps, chords=chords)


def midi_file(request: MidiRequest) -> bytes:
    """The one melody of a request as a MIDI file."""
    (asked,) = request.melodies
    return _midi(asked, request)


def midi_archive(request: MidiRequest) -> bytes:
    """The melodies of a request as MIDI files in a zip archive, in order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, asked in zip(file_names(request), request.melodies, strict=True):
            archive.writestr(name, _midi(asked, request))
    return buffer.getvalue()


def _midi(asked: MelodyJson, request: MidiRequest) -> bytes:
    sequence = asked.melody().to_note_sequence(request.qpm, accompaniment=request.accompaniment)
    return note_sequence_to_midi(sequence)


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
    from ostinato.sound.recorded import recorded_instrument
    from ostinato.sound.synthesizer import synthesize
    from ostinato.sound.wav import wav_bytes

    melody = request.melody()
    sequence = melody.to_note_sequence(request.qpm, program=request.program, accompaniment=request.accompaniment)
    if request.clicks:
        step_seconds = 60 / request.qpm / STEPS_PER_QUARTER
        for step in range(0, len(melody), melody.meter.steps_per_beat):
            loud = step % melody.steps_per_bar == 0
            begin = step * step_seconds
            sequence.notes.add(
                pitch=_CLICK,
                velocity=110 if loud else 70,
                start_time=begin,
                end_time=begin + step_seconds,
                is_drum=True,
            )
    instrument = recorded_instrument(request.instrument) if request.instrument else None
    samples = synthesize(sequence, sample_rate=_SAMPLE_RATE, instrument=instrument)
    # The room throws back each pitch from another side: what is one instrument would wander between the speakers.
    middle = samples.mean(axis=1, keepdims=True, dtype=np.float32)
    return wav_bytes(np.repeat(middle, 2, axis=1), _SAMPLE_RATE)


def score_file(request: ScoreRequest) -> bytes:
    """The melody of a request as ABC or MusicXML.

    Raises:
        SettingsError: if there is no such key.
    """
    key = None if request.key is None else parse_key(request.key)
    sheet = notate(request.melody(), key=key, qpm=request.qpm, title=request.title or "")
    return sheets_to_abc([sheet]).encode() if request.format == "abc" else sheet_to_musicxml(sheet)


def _client(request: Request) -> Client:
    """Who asks: an address, and what its page calls itself."""
    address = request.client.host if request.client else ""
    return address, request.headers.get(CLIENT_HEADER, "")[:MAX_CLIENT_NAME]


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
        chords=candidate.melody.chords,
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
        kept_steps=max(len(traced.melody) - request.fill[1] * bar, 0) if request.fill else 0,
        ends=traced.melody.ends,
        chords=traced.melody.chords,
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
