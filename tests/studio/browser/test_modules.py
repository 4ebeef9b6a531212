"""The page's own arithmetic, against values worked out by hand."""

from typing import Any

import pytest

pytest.importorskip("playwright")

from ostinato.music.melody import Melody
from ostinato.music.notation import estimated_key
from studio_page import StudioPage, run


def test_events_and_notes(modules: StudioPage) -> None:
    # C held for three 16ths, a rest, E, G straight after it to the end.
    events = [60, -2, -2, -1, 64, 67, -2]
    notes = run(modules, "melody", f"return m.notesOf({events})")
    assert notes == [
        {"pitch": 60, "start": 0, "length": 3},
        {"pitch": 64, "start": 4, "length": 1},
        {"pitch": 67, "start": 5, "length": 2},
    ]
    assert run(modules, "melody", f"return m.eventsOf(m.notesOf({events}))") == events
    assert run(modules, "melody", "return m.eventsOf([])") == []
    assert run(modules, "melody", "return m.eventsOf([{ pitch: 60, start: 1, length: 1 }], 4)") == [-2, 60, -1, -2]


def test_a_note_that_is_added_is_heard_whole(modules: StudioPage) -> None:
    notes = "[{ pitch: 60, start: 0, length: 4 }, { pitch: 62, start: 4, length: 4 }]"
    added = run(modules, "melody", f"return m.withNote({notes}, {{ pitch: 72, start: 2, length: 3 }})")
    assert added == [{"pitch": 60, "start": 0, "length": 2}, {"pitch": 72, "start": 2, "length": 3}]


@pytest.mark.parametrize(
    ("name", "steps_per_bar", "steps_per_beat"),
    [
        ("4/4", 16, 4),
        ("2/2", 16, 8),
        ("3/4", 12, 4),
        ("6/8", 12, 6),
        ("12/8", 24, 6),
        ("7/8", 14, 2),
        ("9/16", 9, 3),
        ("4/32", 2, 1),
    ],
)
def test_meters(modules: StudioPage, name: str, steps_per_bar: int, steps_per_beat: int) -> None:
    found = run(modules, "melody", f"return m.meterOf('{name}')")
    assert found == {"stepsPerBar": steps_per_bar, "stepsPerBeat": steps_per_beat}
    assert run(modules, "melody", f"return m.isMeter('{name}')") is True


@pytest.mark.parametrize(
    ("events", "meter", "first_bar", "begin"),
    [
        ([60, *[-2] * 31], "4/4", 1, 0),
        ([*[-2] * 7, 60, *[-2] * 24], "4/4", 1, 0),
        ([*[-2] * 8, 60, *[-2] * 23], "4/4", 0, 8),  # in the second half of the first bar
        ([*[-2] * 15, 60, -2], "4/4", 0, 15),
        ([*[-2] * 16, 60, -2], "4/4", 1, 0),  # a bar of silence
        ([*[-2] * 8, 60, *[-2] * 7], "4/4", 1, 0),  # nothing follows
        ([*[-2] * 6, 60, *[-2] * 6], "6/8", 0, 6),
        ([-2] * 32, "4/4", 1, 0),
        ([], "4/4", 1, 0),
    ],
)
def test_upbeats(modules: StudioPage, events: list[int], meter: str, first_bar: int, begin: int) -> None:
    assert run(modules, "melody", f"return m.firstBarOf({events}, '{meter}')") == first_bar
    assert run(modules, "melody", f"return m.beginOf({events}, '{meter}')") == begin


@pytest.mark.parametrize("name", ["'la'", "'6/7'", "'1/32'", "'0/4'", "undefined", "16"])
def test_what_is_no_meter(modules: StudioPage, name: str) -> None:
    assert run(modules, "melody", f"return m.isMeter({name})") is False


def test_places_and_pitches_in_words(modules: StudioPage) -> None:
    assert run(modules, "melody", "return m.placeName(0, '4/4')") == "bar 1, beat 1"
    assert run(modules, "melody", "return m.placeName(16 + 4 + 2, '4/4')") == "bar 2, beat 2, 16th 3"
    assert run(modules, "melody", "return m.placeName(18 + 12, '9/8')") == "bar 2, beat 3"
    assert run(modules, "melody", "return [60, 69, 61].map(m.pitchName)") == ["C4", "A4", "C♯4"]
    assert run(modules, "melody", "return m.placeName(12, '4/4', 0)") == "upbeat, beat 4"
    assert run(modules, "melody", "return m.placeName(16, '4/4', 0)") == "bar 1, beat 1"
    assert run(modules, "voices", "return [69, 57].map(m.frequencyOf)") == [440, 220]
    # 120 quarters a minute are 8 sixteenths a second
    assert run(modules, "melody", "return m.secondsPerStep(120)") == 0.125


@pytest.mark.parametrize(
    ("repeat_steps", "words"),
    [(12, "one bar ago"), (24, "two bars ago"), (96, "8 bars ago"), (16, "16 sixteenths ago"), ("null", None)],
)
def test_repeats_in_words(modules: StudioPage, repeat_steps: int | str, words: str | None) -> None:
    drawn = f"{{ event: 60, probability: 0.5, repeatSteps: {repeat_steps}, candidates: [] }}"
    variation = f"{{ events: [60], stepsPerBar: 12, meter: '6/8', given: [], explained: [{drawn}] }}"
    told = "bar 1, beat 1: C4, 50\u00a0% likely" + (f", repeated from {words}" if words else "")
    assert run(modules, "why", f"return m.explain({variation}, 0)") == told


def test_keys_pressed_are_put_on_the_nearest_16th(modules: StudioPage) -> None:
    # At 120, a 16th is 0.125 s; the first key begins.
    program = """
        const recorder = new m.Recorder(120, null, 64);
        recorder.press(60, 10.0); recorder.release(60, 10.26);
        recorder.press(62, 10.36); recorder.release(62, 10.37);
        recorder.press(64, 10.52);
        return recorder.finish(11.0);
    """
    assert run(modules, "recorder", program) == [
        {"pitch": 60, "start": 0, "length": 2},
        {"pitch": 62, "start": 3, "length": 1},
        {"pitch": 64, "start": 4, "length": 4},
    ]


def test_a_key_before_the_count_is_over_is_not_kept(modules: StudioPage) -> None:
    program = """
        const recorder = new m.Recorder(120, 5.0, 64);
        recorder.press(60, 4.5); recorder.release(60, 4.7);
        recorder.press(62, 4.97);
        return recorder.finish(5.1);
    """
    assert run(modules, "recorder", program) == [{"pitch": 62, "start": 0, "length": 1}]


def test_undo_and_redo(modules: StudioPage) -> None:
    program = """
        const history = new m.History({ a: 1 }, () => {});
        history.commit({ a: 2 }, "two"); history.commit({ a: 3 }, "three");
        const told = [history.undo(), history.undo(), history.undo(), history.redo()];
        const middle = history.present.a;
        history.commit({ a: 4 }, "four");
        return [told, middle, history.canRedo, history.undo(), history.present.a];
    """
    assert run(modules, "history", program) == [["three", "two", None, "two"], 2, False, "four", 2]


def test_no_sound_clicks(modules: StudioPage) -> None:
    """Each voice alone, sample by sample: it is heard, it never jumps, it ends in silence."""
    program = """
        const told = {};
        for (const [name, voice] of Object.entries(m.VOICES)) {
            const context = new OfflineAudioContext(1, 44100 * 3, 44100);
            voice(context, context.destination, 60, 0.1)(0.6);
            const samples = (await context.startRendering()).getChannelData(0);
            let [peak, jump] = [0, 0];
            for (let i = 1; i < samples.length; i += 1) {
                peak = Math.max(peak, Math.abs(samples[i]));
                jump = Math.max(jump, Math.abs(samples[i] - samples[i - 1]));
            }
            const end = samples.slice(-4410).reduce((most, one) => Math.max(most, Math.abs(one)), 0);
            told[name] = [peak, jump, end];
        }
        return told;
    """
    program = f"""
        const {{ load }} = await import("/static/recorded.js");
        for (const [name, called] of Object.entries(m.RECORDED)) m.VOICES[name] ??= await load(called);
        {program}
    """
    told = run(modules, "voices", program)
    assert len(told) == 4 + 5
    for name, (peak, jump, end) in told.items():
        assert 0.05 < peak < 1, name
        assert jump < 0.2, name
        assert end == 0, name


def test_some_notes_are_changed_at_once(modules: StudioPage) -> None:
    notes = "[[60, 0, 4], [64, 4, 2], [67, 8, 4]].map(([pitch, start, length]) => ({ pitch, start, length }))"
    bounds = "{ lowest: 48, highest: 83, maxSteps: 64 }"
    in_short = "({ pitch, start, length }) => [pitch, start, length]"

    def told(call: str) -> Any:
        return run(modules, "note-edits", f"const r = m.{call}; return r && [r.notes.map({in_short}), [...r.chosen]];")

    # Two go a beat on, over the third, which is heard no more where they begin.
    assert told(f"moved({notes}, new Set([0, 4]), {{ later: 4 }}, {bounds})") == [
        [[60, 4, 4], [64, 8, 2]],
        [4, 8],
    ]
    # As far as the lowest may go, and not before the first step.
    assert told(f"moved({notes}, new Set([4, 8]), {{ later: -9, higher: -20 }}, {bounds})") == [
        [[48, 0, 2], [51, 4, 4]],
        [0, 4],
    ]
    assert told(f"moved({notes}, new Set([0]), {{ later: -1 }}, {bounds})") is None
    assert told(f"stretched({notes}, new Set([0, 4]), 3, {bounds})") == [[[60, 0, 4], [64, 4, 5]], [0, 4]]
    assert told(f"stretched({notes}, new Set([4]), -5, {bounds})") == [[[60, 0, 4], [64, 4, 1], [67, 8, 4]], [4]]
    copied = "[{ pitch: 72, start: 2, length: 2 }, { pitch: 74, start: 6, length: 2 }]"
    assert told(f"pasted({notes}, {copied}, 6, {bounds})") == [
        [[60, 0, 4], [64, 4, 2], [72, 6, 2], [67, 8, 2], [74, 10, 2]],
        [6, 10],
    ]
    assert told(f"pasted({notes}, {copied}, 60, {bounds})")[1] == [60]  # the other would not fit
    assert told(f"pasted({notes}, {copied}, 63, {bounds})") is None


@pytest.mark.parametrize("end", range(60, 72))
def test_the_key_is_the_one_that_scores_are_written_in(modules: StudioPage, end: int) -> None:
    for pitches in ([62, 66, 69, 61, end], [60, 63, 67, 70, end], [60, end], [end]):
        notes = [{"pitch": pitch, "start": 4 * place, "length": 4} for place, pitch in enumerate(pitches)]
        found = run(modules, "keys", f"return m.estimatedKey({notes})")
        expected = estimated_key(Melody([event for pitch in pitches for event in (pitch, -2, -2, -2)]))
        assert (found["tonic"], found["mode"]) == (expected.tonic, str(expected).split()[1])


# ---- the band


# In C: the broken chords C E G, F A C, G B D and C, a quarter note each.
TONES = [60, 64, 67, 65, 69, 72, 67, 71, 74, 72, 67, 60]
CADENCE = [{"pitch": pitch, "start": 4 * i, "length": 4} for i, pitch in enumerate(TONES)]


def test_each_bar_has_the_chord_of_its_notes(modules: StudioPage) -> None:
    chords = run(modules, "band", f"return m.chordsOf({{ notes: {CADENCE}, steps: 48, meter: '3/4' }})")
    assert chords == [
        {"root": 0, "tones": [0, 4, 7]},
        {"root": 5, "tones": [5, 9, 0]},
        {"root": 7, "tones": [7, 11, 2]},
        {"root": 0, "tones": [0, 4, 7]},
    ]


def test_a_bar_of_silence_keeps_the_chord_before(modules: StudioPage) -> None:
    notes = [*CADENCE[:6], {"pitch": 60, "start": 36, "length": 12}]
    chords = run(modules, "band", f"return m.chordsOf({{ notes: {notes}, steps: 48, meter: '3/4' }})")
    assert [chord["root"] for chord in chords] == [0, 5, 5, 0]
    assert run(modules, "band", "return m.chordsOf({ notes: [], steps: 16, meter: '4/4' })") == []


@pytest.mark.parametrize(
    ("meter", "pulses"),
    [
        ("2/4", [[0, 4]]),
        ("3/4", [[0, 4, 8]]),
        ("4/4", [[0, 4], [8, 12]]),
        ("5/4", [[0, 4, 8], [12, 16]]),
        ("2/2", [[0, 8]]),
        ("3/8", [[0]]),
        ("5/8", [[0, 6]]),
        ("6/8", [[0, 6]]),
        ("7/8", [[0, 4, 8]]),
        ("9/8", [[0, 6, 12]]),
        ("12/8", [[0, 6], [12, 18]]),
        ("5/16", [[0, 3]]),
        ("4/32", [[0]]),
    ],
)
def test_pulses(modules: StudioPage, meter: str, pulses: list[list[int]]) -> None:
    assert run(modules, "band", f"return m.pulsesOf('{meter}')") == pulses


@pytest.mark.parametrize(
    ("meter", "drums"),
    [
        ("2/4", {0: "kick hat", 2: "hat", 4: "snare hat", 6: "hat"}),
        ("3/4", {0: "kick hat", 2: "hat", 4: "brush hat", 6: "hat", 8: "brush hat", 10: "hat"}),
        ("6/8", {0: "kick hat", 2: "hat", 4: "hat", 6: "snare hat", 8: "hat", 10: "hat"}),
        ("3/8", {0: "kick hat", 2: "hat", 4: "hat"}),
        ("7/8", {0: "kick hat", 2: "hat", 4: "brush hat", 6: "hat", 8: "brush hat", 10: "hat", 12: "hat"}),
        ("9/16", {0: "kick hat", 3: "brush hat", 6: "brush hat"}),
    ],
)
def test_drums(modules: StudioPage, meter: str, drums: dict[int, str]) -> None:
    found = run(modules, "band", f"return [...m.drumsOf('{meter}')].sort(([one], [other]) => one - other)")
    assert found == [[step, names.split()] for step, names in drums.items()]


def test_the_bass_plays_roots_and_fifths_and_comes_to_rest(modules: StudioPage) -> None:
    bass = run(modules, "band", f"return [...m.bandOf({{ notes: {CADENCE}, steps: 48, meter: '3/4' }}).bass]")
    # C2 and G2, F2 and C2, G2 and D2, a last C2: two beats and one, each but the shortest let go a 16th before.
    assert bass == [
        [0, {"pitch": 36, "length": 7}],
        [8, {"pitch": 43, "length": 3}],
        [12, {"pitch": 41, "length": 7}],
        [20, {"pitch": 36, "length": 3}],
        [24, {"pitch": 43, "length": 7}],
        [32, {"pitch": 38, "length": 3}],
        [36, {"pitch": 36, "length": 11}],
    ]


def test_the_bass_keeps_away_from_semitones(modules: StudioPage) -> None:
    # C and, on the third beat of 4/4 where the fifth G would come, F sharp; with B on the first beat the fifth begins.
    sharp = [{"pitch": 60, "start": 0, "length": 8}, {"pitch": 66, "start": 8, "length": 2}]
    sharp += [{"pitch": 64, "start": 10, "length": 6}, {"pitch": 71, "start": 16, "length": 1}]
    sharp += [{"pitch": 60, "start": 17, "length": 15}]
    bass = dict(run(modules, "band", f"return [...m.bandOf({{ notes: {sharp}, steps: 48, meter: '4/4' }}).bass]"))
    assert {step: bass[step]["pitch"] for step in (0, 8, 16)} == {0: 36, 8: 36, 16: 43}


@pytest.mark.parametrize("meter", ["2/4", "3/4", "4/4", "5/4", "6/8", "9/8", "7/8", "9/16"])
def test_the_band_plays_in_every_bar(modules: StudioPage, meter: str) -> None:
    length = run(modules, "melody", f"return m.meterOf('{meter}').stepsPerBar")
    notes = [{"pitch": 60 + i % 5, "start": i, "length": 1} for i in range(3 * length)]
    program = f"const b = m.bandOf({{ notes: {notes}, steps: {3 * length}, meter: '{meter}' }}); "
    drums, bass = run(modules, "band", program + "return [[...b.drums.keys()], [...b.bass.keys()]]")
    for bar in range(3):
        assert bar * length in drums
        assert any(bar * length <= step < (bar + 1) * length for step in bass)
    assert max(drums) < 3 * length
    assert run(modules, "band", f"return m.bandOf({{ notes: [], steps: {length}, meter: '{meter}' }}).bass.size") == 0
