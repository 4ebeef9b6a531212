"""The page's own arithmetic, against values worked out by hand."""

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("playwright")

from playwright.sync_api import Browser

from studio_page import StudioPage, visit


@pytest.fixture(scope="module")
def modules(browser: Browser, url: str) -> Iterator[StudioPage]:
    """One visit for all, for nothing here changes the page."""
    context, studio = visit(browser, url)
    yield studio
    context.close()


def run(studio: StudioPage, module: str, program: str) -> Any:
    return studio.page.evaluate(f'async () => {{ const m = await import("/static/{module}.js"); {program} }}')


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
    told = run(modules, "voices", program)
    assert len(told) == 4
    for name, (peak, jump, end) in told.items():
        assert 0.05 < peak < 1, name
        assert jump < 0.2, name
        assert end == 0, name
