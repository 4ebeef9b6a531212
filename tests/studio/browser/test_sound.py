"""What is heard on the studio's page: volumes, loops, the band, MIDI outputs and recorded instruments."""

import json
from bisect import bisect_right
from typing import Any

import pytest

pytest.importorskip("playwright")

import numpy as np
from playwright.sync_api import expect

from ostinato.sound.recorded import FOLDER, decoded
from studio_page import FADING, METER, SILENCE, StudioPage, loudest

# Where the cursor of the melody was, in 16ths: the least and the most of so many milliseconds.
PLACES = """async (milliseconds) => {
    const line = document.querySelector(".roll .playhead");
    const width = Number(document.querySelector(".roll-board").dataset.stepWidth);
    const found = [];
    for (const until = performance.now() + milliseconds; performance.now() < until; ) {
        await new Promise(requestAnimationFrame);
        found.push(new DOMMatrix(getComputedStyle(line).transform).e / width);
    }
    return [Math.min(...found), Math.max(...found)];
}"""


def set_tempo(studio: StudioPage, qpm: int) -> None:
    tempo = studio.page.get_by_role("spinbutton", name="Tempo")
    tempo.fill(str(qpm))
    tempo.press("Enter")


def test_everything_has_a_volume_of_its_own(studio: StudioPage) -> None:
    page = studio.page
    page.evaluate(METER)
    mixer = page.get_by_role("button", name="Mixer")
    page.get_by_role("button", name="Loop").click()
    page.get_by_role("button", name="Play your melody").click()
    mixer.click()
    page.wait_for_function("() => window.meter")
    assert loudest(studio) > 0.05
    for name, turn_on in (("Melody", None), ("Metronome", "Metronome"), ("Bass and drums", "Bass and drums")):
        if turn_on:
            page.get_by_role("button", name=turn_on).click()
            page.wait_for_timeout(200)
            assert loudest(studio) > 0.02, name
            mixer.click()
        page.get_by_role("slider", name=name).fill("0")
        page.wait_for_timeout(FADING)
        assert loudest(studio) < SILENCE, name
    page.get_by_role("slider", name="Bass and drums").fill("40")
    page.keyboard.press("Escape")
    expect(page.locator("#mixer")).to_be_hidden()
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()  # the music goes on
    studio.open()
    page.get_by_role("button", name="Mixer").click()
    for name, volume in (("Melody", "0"), ("Metronome", "0"), ("Bass and drums", "40")):
        expect(page.get_by_role("slider", name=name)).to_have_value(volume)
    expect(page.get_by_role("button", name="Bass and drums")).to_have_attribute("aria-pressed", "true")


def test_a_loop_goes_round_the_marked_bars(wide: StudioPage) -> None:
    page = wide.page
    set_tempo(wide, 400)  # a bar lasts 0.6 s
    page.get_by_role("button", name="Mark bars").click()  # the first of the two
    page.get_by_role("button", name="Loop").click()
    page.get_by_role("button", name="Play your melody").click()
    page.wait_for_function("() => contexts[0]?.currentTime > 0.2")
    least, most = page.evaluate(PLACES, 1500)
    assert 0 <= least < 4
    assert 12 < most < 16
    page.get_by_role("spinbutton", name="Last marked bar").fill("2")
    page.get_by_role("spinbutton", name="First marked bar").fill("2")
    page.get_by_role("spinbutton", name="First marked bar").press("Tab")
    page.wait_for_timeout(300)
    least, most = page.evaluate(PLACES, 1500)
    assert 16 <= least < 20
    assert 28 < most < 32
    page.get_by_role("button", name="Unmark the bars").click()
    least, most = page.evaluate(PLACES, 2000)
    assert least < 4
    assert most > 28
    page.get_by_role("button", name="Loop").click()
    expect(page.locator(".roll .playhead")).to_be_hidden()


def test_the_band_plays_to_cards_too(wide: StudioPage) -> None:
    page = wide.page
    page.evaluate(METER)
    wide.generate(New_bars="4", Variations="1")
    page.get_by_role("button", name="Bass and drums").click()
    page.get_by_role("button", name="Mixer").click()
    page.get_by_role("slider", name="Melody").fill("0")
    page.get_by_role("button", name="Play Variation 1").click()
    page.wait_for_function("() => window.meter")
    assert loudest(wide) > 0.02


# ---- MIDI

# A stand-in for a synthesizer, for the browser of a test has none; `sent` has [milliseconds, bytes...].
SYNTHESIZER = """() => {
    window.sent = [];
    window.synthesizer = {
        name: "Synth", state: "connected", send: (data, at) => window.sent.push([at, ...data]),
    };
    navigator.requestMIDIAccess = async () => ({
        inputs: new Map(), outputs: new Map([["1", window.synthesizer]]),
    });
}"""
CLOCK, START, CONTINUE, STOP, POSITION = 0xF8, 0xFA, 0xFB, 0xFC, 0xF2


def sent(studio: StudioPage) -> list[list[Any]]:
    """What the synthesizer got, in the order in which it is due."""
    found: list[list[Any]] = studio.page.evaluate("sent")
    return sorted(found, key=lambda message: message[0])


def connect(studio: StudioPage) -> None:
    page = studio.page
    page.evaluate(SYNTHESIZER)
    page.get_by_role("button", name="Mixer").click()
    page.get_by_role("button", name="Find MIDI outputs").click()
    expect(page.locator("#message-text")).to_have_text("Your melody plays on Synth, too.")
    expect(page.get_by_role("combobox", name="MIDI output")).to_have_value("Synth")


def test_a_synthesizer_plays_the_melody_with_the_clock(wide: StudioPage) -> None:
    page = wide.page
    set_tempo(wide, 240)  # a 16th lasts 62.5 ms, and two bars 2 s
    connect(wide)
    page.get_by_role("button", name="MIDI clock").click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Play your melody").click()
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Play your melody")).to_be_visible()
    messages = sent(wide)
    clocks = [at for at, status, *_ in messages if status == CLOCK]

    def step(at: float) -> int:
        """The 16th that a time is on, by the clocks, six a 16th: on a busy machine all are late, but together."""
        return round(bisect_right(clocks, at + 1) / 6)

    starts = [(step(at), pitch) for at, status, *rest in messages if status == 0x90 for pitch in rest[:1]]
    ends = [(step(at), rest[0]) for at, status, *rest in messages if status == 0x80]
    notes = [(64, 0, 2), (67, 2, 2), (72, 4, 4), (71, 8, 2), (67, 10, 2), (69, 12, 4), (65, 16, 2), (69, 18, 2)]
    notes += [(74, 20, 4), (72, 24, 2), (69, 26, 2), (71, 28, 4)]
    assert starts == [(start, pitch) for pitch, start, _ in notes]
    assert set(ends) == {(start + length, pitch) for pitch, start, length in notes}
    assert len(clocks) == 8 * 24  # quarter notes
    assert [message[1] for message in messages if message[1] in (START, CONTINUE, STOP)] == [START, STOP]
    assert messages[-1][1:] in ([STOP], [0xB0, 123, 0])


def test_an_output_that_was_chosen_is_there_after_a_reload(wide: StudioPage) -> None:
    """If the browser has its leave still; else it would have to ask, and that is for a click."""
    page = wide.page
    connect(wide)
    page.get_by_role("button", name="MIDI clock").click()
    page.get_by_role("button", name="Sound here, too").click()
    wide.open()
    page.get_by_role("button", name="Mixer").click()
    expect(page.get_by_role("button", name="Find MIDI outputs")).to_be_visible()
    page.add_init_script(f"({SYNTHESIZER})(); navigator.permissions.query = async () => ({{ state: 'granted' }});")
    wide.open()
    page.get_by_role("button", name="Mixer").click()
    expect(page.get_by_role("combobox", name="MIDI output")).to_have_value("Synth")
    expect(page.get_by_role("button", name="MIDI clock")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="Sound here, too")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Play your melody").click()
    page.wait_for_function("() => sent.some(([, status]) => status === 0x90)")


def test_stopping_leaves_no_note_on_the_synthesizer(wide: StudioPage) -> None:
    page = wide.page
    set_tempo(wide, 20)  # a half note lasts 6 s
    connect(wide)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Play your melody").click()
    page.wait_for_function("() => sent.length > 0")
    page.keyboard.press("Escape")
    messages = sent(wide)
    assert [message[1:] for message in messages] == [[0x90, 64, 96], [0x80, 64, 0], [0xB0, 123, 0]]


def test_from_the_middle_the_clock_tells_where(wide: StudioPage) -> None:
    page = wide.page
    wide.generate(New_bars="4", Variations="1")
    connect(wide)
    page.get_by_role("button", name="MIDI clock").click()
    page.keyboard.press("Escape")
    roll = page.get_by_role("slider", name="Variation 1, step by step")
    roll.focus()
    roll.press("Home")
    for key in ("PageUp", "PageUp", "ArrowRight"):
        roll.press(key)
    roll.press("Enter")
    page.wait_for_function("() => sent.some(([, status]) => status === 0xfb)")
    assert [message[1:] for message in sent(wide) if message[1] == POSITION] == [[POSITION, 33, 0]]


def test_the_speakers_leave_the_melody_to_the_synthesizer(wide: StudioPage) -> None:
    page = wide.page
    page.evaluate(METER)
    connect(wide)
    page.get_by_role("button", name="Sound here, too").click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Loop").click()
    page.get_by_role("button", name="Play your melody").click()
    page.wait_for_function("() => sent.length > 4")
    assert loudest(wide) < SILENCE
    assert any(message[1] == 0x90 for message in sent(wide))
    page.keyboard.press("Escape")
    page.evaluate("sent.length = 0")
    page.get_by_role("button", name="Clear the melody").click()
    wide.press_cell(0, 60)  # what is drawn is heard there, too
    page.wait_for_function("() => sent.length === 2")
    assert [message[1:] for message in sent(wide)] == [[0x90, 60, 96], [0x80, 60, 0]]


def test_an_output_that_is_unplugged_is_done_without(wide: StudioPage) -> None:
    page = wide.page
    connect(wide)
    page.evaluate(
        "() => { synthesizer.state = 'disconnected'; synthesizer.send = () => { throw new Error('gone'); }; }"
    )
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Play your melody").click()
    expect(page.locator(".roll .playhead")).to_be_visible()
    page.keyboard.press("Escape")


def test_outputs_that_are_not_allowed_are_told_of(wide: StudioPage) -> None:
    page = wide.page
    page.evaluate("() => { navigator.requestMIDIAccess = async () => { throw new DOMException('no'); }; }")
    page.get_by_role("button", name="Mixer").click()
    page.get_by_role("button", name="Find MIDI outputs").click()
    expect(page.get_by_role("alert")).to_contain_text("The browser did not allow MIDI outputs.")


# ---- instruments


def test_a_recorded_instrument_is_loaded_when_it_is_chosen(studio: StudioPage) -> None:
    page = studio.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(studio.url)))
    studio.open()
    assert not any("instruments" in path for path in asked)
    with page.expect_response("**/violin.bin"):
        page.get_by_label("Sound", exact=True).select_option("Violin")
    assert sum("instruments" in path for path in asked) == 2  # and what tells of it
    page.evaluate(METER)
    page.get_by_role("button", name="Play your melody").click()
    page.wait_for_function("() => window.meter")
    assert loudest(studio) > 0.05
    with page.expect_response("**/violin.bin"):
        studio.open()  # it is kept
    expect(page.get_by_label("Sound", exact=True)).to_have_value("Violin")


def test_the_page_reads_the_recordings_as_python_does(wide: StudioPage) -> None:
    """Sample by sample: a held flute, played as it was recorded."""
    program = """async () => {
        const { load } = await import("/static/recorded.js");
        const flute = await load("flute");
        const context = new OfflineAudioContext(1, 4096, 22050);
        flute(context, context.destination, 61, 0)(1);
        return [...(await context.startRendering()).getChannelData(0)];
    }"""
    found = np.array(wide.page.evaluate(program))
    data = (FOLDER / "flute.bin").read_bytes()
    assert np.abs(found[100:] - 0.85 * decoded(data, 4096)[100:]).max() < 1e-4


def test_a_wav_file_has_the_chosen_instrument(wide: StudioPage) -> None:
    page = wide.page
    wide.generate(New_bars="1", Variations="1")
    for name, asked in (("Music box", {"program": 10}), ("Concert flute", {"instrument": "flute"})):
        page.get_by_label("Sound", exact=True).select_option(name)
        with page.expect_request("**/api/wav") as request:
            wide.saved("WAV: Variation 1")
        body = json.loads(request.value.post_data or "")
        assert {key: body[key] for key in ("program", "instrument") if key in body} == asked


def test_an_instrument_that_cannot_be_had_is_told_of(wide: StudioPage) -> None:
    page = wide.page
    page.route("**/piano.bin", lambda route: route.fulfill(status=404))
    page.evaluate(METER)
    page.get_by_label("Sound", exact=True).select_option("Piano")
    expect(page.get_by_role("alert")).to_have_text("The recorded piano cannot be loaded. Choose another sound.")
    page.get_by_role("button", name="Play your melody").click()  # by another voice
    page.wait_for_function("() => window.meter")
    assert loudest(wide) > 0.05
    wide.complaints.clear()  # the browser's, of the answer 404
