"""Answers: what the page gets of a melody."""

import io
import math
import wave
import zipfile
from typing import Any

import numpy as np
import pytest
import symusic

from ostinato.music.melody import Melody
from ostinato.studio import answers
from ostinato.studio.models import Models
from ostinato.studio.requests import GenerateRequest, MidiRequest, WavRequest
from studio_parts import ATTENTION_LENGTH, small_models

PRIMER = {"events": [60, -2, 62, -2], "steps_per_bar": 12}


@pytest.fixture(name="models", scope="module")
def _models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return small_models(tmp_path_factory.mktemp("models"))


def _generate(models: Models, name: str, **members: Any) -> dict[str, Any]:
    return answers.generate(models.model(name), name, GenerateRequest.from_json({"num_steps": 24, **members}))


def test_melodies_begin_with_the_primer_in_its_meter(models: Models) -> None:
    made = _generate(models, "plain", primer=PRIMER, variations=3, seed=5)
    assert (made["model"], made["seed"], made["steps_per_bar"]) == ("plain", 5, 12)
    assert [len(each["events"]) for each in made["variations"]] == [24] * 3
    assert [each["events"][:4] for each in made["variations"]] == [PRIMER["events"]] * 3
    assert [each["primer_steps"] for each in made["variations"]] == [4] * 3
    assert made["variations"] == _generate(models, "plain", primer=PRIMER, variations=3, seed=5)["variations"]
    assert made["variations"][0] == _generate(models, "plain", primer=PRIMER, variations=1, seed=5)["variations"][0]


def test_a_new_seed_is_told_and_gives_the_same_again(models: Models) -> None:
    made = _generate(models, "plain")
    assert 0 <= made["seed"] < 2**32
    assert _generate(models, "plain", seed=made["seed"])["variations"] == made["variations"]


def test_each_drawn_step_is_explained(models: Models) -> None:
    for given, first in ((PRIMER, 4), (None, 1)):
        (made,) = _generate(models, "plain", primer=given, variations=1, seed=1)["variations"]
        assert [step["step"] for step in made["steps"]] == list(range(first, 24))
        assert [step["event"] for step in made["steps"]] == made["events"][first:]
        for step in made["steps"]:
            probabilities = [probability for _, probability in step["candidates"]]
            assert probabilities == sorted(probabilities, reverse=True)
            assert sum(probabilities) <= 1.00001
            assert dict(step["candidates"]).get(step["event"], step["probability"]) == step["probability"]
        # Without any restriction, the steps' probabilities make up the likelihood of the whole.
        logarithms = sum(math.log(step["probability"]) for step in made["steps"])
        assert made["log_likelihood"] == pytest.approx(logarithms, abs=1e-2)
        assert made["attention"] is None


def test_repeats_are_told_by_their_distance(models: Models) -> None:
    made = _generate(models, "plain", num_steps=200, variations=8, seed=2)["variations"]
    repeats = [(each, step) for each in made for step in each["steps"] if step["repeat_steps"] is not None]
    assert {step["repeat_steps"] for _, step in repeats} == {16, 32}
    for each, step in repeats:
        assert each["events"][step["step"] - step["repeat_steps"]] == step["event"]


def test_the_attention_is_told_of_each_step(models: Models) -> None:
    made = _generate(models, "watchful", primer=PRIMER, variations=2, seed=3)["variations"]
    for each in made:
        weights = np.array(each["attention"])
        assert weights.shape == (20, ATTENTION_LENGTH)
        assert np.allclose(weights.sum(axis=1), 1, atol=1e-3)


def test_without_explaining_the_same_melodies_come(models: Models) -> None:
    explained = _generate(models, "watchful", seed=4)["variations"]
    plain = _generate(models, "watchful", seed=4, explain=False)["variations"]
    assert [each["events"] for each in plain] == [each["events"] for each in explained]
    assert [each["log_likelihood"] for each in plain] == [each["log_likelihood"] for each in explained]
    assert [(each["steps"], each["attention"]) for each in plain] == [([], None)] * 4


def test_key_and_range_hold(models: Models) -> None:
    made = _generate(models, "plain", num_steps=100, seed=6, key="C", min_note=60, max_note=72, temperature=2)
    pitches = {event for each in made["variations"] for event in each["events"] if event >= 0}
    assert pitches <= {60, 62, 64, 65, 67, 69, 71, 72}
    assert len(pitches) > 3


def test_a_midi_file_holds_the_melody() -> None:
    data = answers.midi_file(MidiRequest((Melody([60, -2, -2, -1, 64, -2], steps_per_bar=12),), 90.0, ()))
    assert _notes(data) == [(60, 0, 3), (64, 4, 2)]
    score: Any = symusic.Score.from_midi(data)
    assert score.tempos[0].qpm == pytest.approx(90, abs=0.001)
    assert (score.time_signatures[0].numerator, score.time_signatures[0].denominator) == (3, 4)


def test_an_archive_holds_a_file_for_each() -> None:
    melodies = (Melody([60]), Melody([62]), Melody([64]))
    data = answers.midi_archive(MidiRequest(melodies, 120.0, ()))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["melody-1.mid", "melody-2.mid", "melody-3.mid"]
        assert [_notes(archive.read(name))[0][0] for name in archive.namelist()] == [60, 62, 64]


def test_files_have_safe_names_and_no_two_the_same() -> None:
    asked = ("Tune", "tune.mid", "../../etc/passwd", "C:\\x", "Größe 1", "...", "  ", "a" * 100)
    request = MidiRequest((Melody([60]),) * len(asked), 120.0, asked)
    assert answers.file_names(request) == [
        "Tune.mid",
        "tune-2.mid",
        "etc_passwd.mid",
        "C_x.mid",
        "Größe 1.mid",
        "melody.mid",
        "melody-2.mid",
        "a" * 60 + ".mid",
    ]


def test_sound_lasts_as_long_as_the_melody() -> None:
    data = answers.wav_file(WavRequest(Melody([60, -2, -2, -2] * 2), 120.0))
    with wave.open(io.BytesIO(data)) as sound:
        seconds = sound.getnframes() / sound.getframerate()
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
    assert 1.0 <= seconds < 6.0  # 8 steps of an eighth of a second, and the sound dying away
    assert 3_000 < int(np.abs(samples.astype(int)).max()) <= 32_767


def _notes(data: bytes) -> list[tuple[int, float, float]]:
    """Pitch, start and length in 16ths, as another library reads them."""
    score: Any = symusic.Score.from_midi(data)
    step = score.ticks_per_quarter / 4
    return [(note.pitch, note.time / step, note.duration / step) for track in score.tracks for note in track.notes]
