"""The studio's page as people use it, at a desk and on a phone, in a real browser."""

import io
import json
import logging
import math
import re
import zipfile
from base64 import b64decode
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright")

import symusic
from playwright.sync_api import Position, Route, expect

from midi_files import END, NOTE, midi
from ostinato.formats.midi.writer import note_sequence_to_midi
from ostinato.music.melody import Melody
from studio_page import StudioPage

EXAMPLE_NOTES = 12  # of the melody that the page opens with
EXAMPLE_STEPS = 32
C4, E4, G4 = 60, 64, 67


def drop_file(studio: StudioPage, name: str, data: bytes) -> None:
    """Let a file fall on the page."""
    studio.page.evaluate(
        """([name, bytes]) => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([new Uint8Array(bytes)], name));
            for (const type of ["dragenter", "dragover", "drop"])
                document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
        }""",
        [name, list(data)],
    )


def midi_of(events: list[int]) -> bytes:
    return note_sequence_to_midi(Melody(events).to_note_sequence(qpm=96))


def pitches(data: bytes) -> list[int]:
    """Of the notes in a MIDI file, as another program reads it."""
    score: Any = symusic.Score.from_midi(data)
    return [note.pitch for note in score.tracks[0].notes]


def pitches_of(events: list[int]) -> list[int]:
    return [event for event in events if event >= 0]


def test_the_first_visit_shows_a_melody_and_one_thing_to_press(studio: StudioPage) -> None:
    page = studio.page
    expect(page.locator(".roll-notes .note")).to_have_count(EXAMPLE_NOTES)
    expect(page.locator("#invitation")).to_be_visible()
    expect(page.locator(".button.is-main")).to_have_count(1)
    expect(page.locator(".button.is-main")).to_be_in_viewport()
    expect(page.locator("#results")).to_be_hidden()


def test_a_drawn_melody_becomes_four_that_can_be_had_again(studio: StudioPage) -> None:
    page = studio.page
    page.get_by_role("button", name="Clear the melody").click()
    for step, pitch in ((0, C4), (4, E4), (8, G4)):
        studio.press_cell(step, pitch)
    expect(page.locator(".roll-notes .note")).to_have_count(3)
    drawn = [C4, -2, -2, -2, E4, -2, -2, -2, G4, -2, -2, -2]
    assert studio.primer() == drawn

    first = studio.generate(New_bars="4", Seed="7")
    assert studio.asked_for()["primer"] == {"events": drawn, "meter": "4/4"}
    assert studio.asked_for()["num_bars"] == 1 + 4
    assert studio.rolls() == 4
    assert len({tuple(each["events"]) for each in first["variations"]}) > 1
    assert all(each["events"][:12] == drawn for each in first["variations"])
    for number, each in enumerate(first["variations"]):
        notes = sum(event >= 0 for event in each["events"])
        expect(page.locator("#cards .small-roll").nth(number).locator("rect.note")).to_have_count(notes)
    again = studio.generate()
    assert studio.asked_for()["seed"] == 7
    assert [each["events"] for each in again["variations"]] == [each["events"] for each in first["variations"]]
    assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")

    page.get_by_role("button", name="Keep this seed").click()  # let it go
    other = studio.generate()
    assert studio.asked_for()["seed"] is None
    assert page.get_by_label("Seed", exact=True).input_value() == str(other["seed"])


def test_four_variations_of_eight_bars_come_at_once(wide: StudioPage) -> None:
    times = []
    for _ in range(4):
        wide.generate(New_bars="6")  # eight with the two bars of the example
        wide.page.wait_for_selector("#results[data-milliseconds]")
        times.append(float(wide.page.locator("#results").get_attribute("data-milliseconds") or "nan"))
        wide.page.evaluate("delete document.getElementById('results').dataset.milliseconds")
    logging.getLogger(__name__).info("from click to four variations of 8 bars: %s ms", times)
    assert min(times) < 1000


def test_what_is_played_sounds_and_moves_the_cursor(studio: StudioPage) -> None:
    page = studio.page
    studio.generate(New_bars="4")
    page.get_by_role("button", name="Play Variation 2").click()
    playhead = page.locator("#cards .playhead").nth(1)
    expect(playhead).to_be_visible()
    page.wait_for_function("() => contexts.length === 1 && contexts[0].state === 'running'")
    before = playhead.evaluate("line => new DOMMatrix(getComputedStyle(line).transform).e")
    page.wait_for_function(
        """before => {
            const line = document.querySelectorAll("#cards .playhead")[1];
            return new DOMMatrix(getComputedStyle(line).transform).e > before + 4;
        }""",
        arg=before,
    )
    page.get_by_role("button", name="Stop Variation 2").click()
    expect(playhead).to_be_hidden()
    page.get_by_role("button", name="Play your melody").click()
    expect(page.locator(".roll .playhead")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".roll .playhead")).to_be_hidden()


def test_a_melody_is_played_to_its_end_and_in_a_loop_for_ever(wide: StudioPage) -> None:
    page = wide.page
    page.get_by_role("spinbutton", name="Tempo").fill("400")  # two bars last 1.2 s
    page.get_by_role("spinbutton", name="Tempo").press("Enter")
    page.get_by_role("button", name="Metronome").click()
    page.get_by_role("button", name="Loop").click()
    page.get_by_role("button", name="Play your melody").click()
    page.wait_for_function("() => contexts[0]?.currentTime > 1.7")
    expect(page.locator(".roll .playhead")).to_be_visible()
    page.get_by_role("button", name="Loop").click()
    expect(page.locator(".roll .playhead")).to_be_hidden()


def test_downloads_are_what_they_say(studio: StudioPage) -> None:
    answer = studio.generate(New_bars="2")
    events = [each["events"] for each in answer["variations"]]
    assert pitches(studio.saved("MIDI: Variation 3").read_bytes()) == pitches_of(events[2])
    with zipfile.ZipFile(studio.saved("All as zip")) as archive:
        assert archive.namelist() == [f"ostinato-{answer['seed']}-{number}.mid" for number in (1, 2, 3, 4)]
        for name, melody in zip(archive.namelist(), events, strict=True):
            assert pitches(archive.read(name)) == pitches_of(melody)
    assert studio.saved("WAV: Variation 1").read_bytes()[:4] == b"RIFF"


def test_a_click_on_a_step_keeps_the_start_and_changes_the_rest(studio: StudioPage) -> None:
    page = studio.page
    before = studio.generate(New_bars="6", Temperature="1.5")["variations"][1]["events"]
    roll = page.get_by_role("slider", name="Variation 2, step by step")
    box = roll.bounding_box()
    assert box is not None
    # On a narrow screen the roll is wider than its place, and scrolls.
    step_width = roll.locator("svg").evaluate("picture => picture.clientWidth") / len(before)
    scrolled = roll.evaluate("roll => roll.scrollLeft")
    wanted = int((scrolled + 0.7 * box["width"]) / step_width)
    place: Position = {"x": (wanted + 0.5) * step_width - scrolled, "y": 50}
    if studio.is_touched:
        roll.tap(position=place)
    else:
        roll.click(position=place)
    step = int(roll.get_attribute("aria-valuenow") or "")
    assert step == wanted
    card = page.get_by_role("article", name="Variation 2")
    expect(card.get_by_role("list")).to_be_visible()
    answer = studio.answer_to(card.get_by_role("button", name="Change from here").click)
    (renewed,) = answer["variations"]
    assert studio.asked_for()["primer"]["events"] == before[:step]
    assert renewed["events"][:step] == before[:step]
    assert renewed["events"][step:] != before[step:]
    # Both end in the last of the eight bars, not always on the same step.
    assert all(7 * 16 < len(events) <= 8 * 16 for events in (before, renewed["events"]))
    expect(roll.locator("rect.note")).to_have_count(sum(event >= 0 for event in renewed["events"]))

    page.get_by_role("button", name="Undo", exact=True).first.click()
    expect(roll.locator("rect.note")).to_have_count(sum(event >= 0 for event in before))
    page.get_by_role("button", name="Redo", exact=True).click()
    expect(roll.locator("rect.note")).to_have_count(sum(event >= 0 for event in renewed["events"]))


def test_shift_click_changes_at_once_and_continue_adds(wide: StudioPage) -> None:
    before = wide.generate(New_bars="2")["variations"][0]["events"]
    roll = wide.page.get_by_role("slider", name="Variation 1, step by step")
    box = roll.bounding_box()
    assert box is not None
    wide.answer_to(lambda: roll.click(position={"x": box["width"] * 48.5 / len(before), "y": 50}, modifiers=["Shift"]))
    assert wide.asked_for()["primer"]["events"] == before[:48]
    more = wide.answer_to(wide.page.get_by_role("button", name="Continue: Variation 1").click)
    assert wide.asked_for()["num_bars"] == 4 + 2
    # It ends in the last bar, maybe before its end.
    assert 80 < len(more["variations"][0]["events"]) <= 96
    assert more["variations"][0]["ends"]
    expect(wide.page.get_by_role("article", name="Variation 1").get_by_text("Ends in bar 6")).to_be_visible()


def test_every_step_tells_why_it_is_there(wide: StudioPage) -> None:
    page = wide.page
    answer = wide.generate(New_bars="4")
    step = next(each for each in answer["variations"][0]["steps"] if each["event"] >= 0 and each["step"] >= 34)
    roll = page.get_by_role("slider", name="Variation 1, step by step")
    box = roll.bounding_box()
    assert box is not None
    num_steps = len(answer["variations"][0]["events"])
    roll.hover(position={"x": (step["step"] + 0.5) * box["width"] / num_steps, "y": 60})  # once the page has scrolled
    card = page.get_by_role("article", name="Variation 1")
    shown = {0: "<1 %", 100: ">99 %"}.get(round(100 * step["probability"]), f"{round(100 * step['probability'])} %")
    expect(card.locator(".why-sentence")).to_contain_text(f"{shown} likely")
    expect(card.get_by_role("listitem")).to_have_count(min(len(step["candidates"]), 5))
    page.mouse.move(0, 0)
    expect(card.locator(".why-sentence")).to_contain_text("Boldest step: ")


def test_what_could_have_come_instead_is_heard(studio: StudioPage) -> None:
    page = studio.page
    made = studio.generate(New_bars="6", Temperature="1.5", Variations="1")["variations"][0]
    drawn = next(
        step for step in made["steps"] if step["step"] >= 50 and step["candidates"][0][1] < 0.9 and step["step"] % 16
    )
    step, event = drawn["step"], next(event for event, _ in drawn["candidates"] if event != drawn["event"])
    card = page.get_by_role("article", name="Variation 1")
    expect(card.get_by_role("button", name="Original: Variation 1")).to_have_count(0)
    roll = page.get_by_role("slider", name="Variation 1, step by step")
    roll.focus()
    roll.press("Home")
    for _ in range(step // 16):
        roll.press("PageUp")
    for _ in range(step % 16):
        roll.press("ArrowRight")
    instead = card.locator(".why-candidates button:not(.is-drawn)").first
    expect(instead).to_have_accessible_name(re.compile(r".+ instead: hear how it goes on, <?\d+\s%"))
    if studio.is_touched:
        changed = studio.answer_to(instead.click)["variations"][0]
    else:
        place = card.locator(".why-candidates button").evaluate_all(
            "all => all.findIndex((one) => !one.classList.contains('is-drawn'))"
        )
        changed = studio.answer_to(lambda: roll.press(str(place + 1)))["variations"][0]
    assert studio.asked_for()["primer"]["events"] == [*made["events"][:step], event]
    assert changed["events"][: step + 1] == [*made["events"][:step], event]
    expect(card.get_by_role("button", name="Stop Variation 1")).to_be_visible()  # it plays
    expect(card).to_contain_text(f"new from bar {step // 16 + 1}, beat")
    expect(card.locator(".why-candidates button.is-drawn")).to_have_attribute("title", re.compile("hear it$"))

    # What was there is outlined where it is gone, and can be heard.
    notes, gone = _spans(changed["events"]), _spans(made["events"])
    # The new way may end earlier, and the roll with it.
    outlined = sum(start < len(changed["events"]) for _, start, _ in gone - notes)
    expect(card.locator("rect.gone")).to_have_count(outlined)
    original = card.get_by_role("button", name="Original: Variation 1")
    told = f"Hear what was there before; of its notes {len(gone - notes)} are gone, and {len(notes - gone)} are new"
    expect(original).to_have_attribute("title", told)
    original.click()
    expect(original).to_have_attribute("aria-pressed", "true")
    expect(card.get_by_role("button", name="Play Variation 1")).to_be_visible()
    original.click()
    expect(original).to_have_attribute("aria-pressed", "false")
    answer = studio.answer_to(card.get_by_role("button", name="Again: Variation 1").click)
    assert answer["variations"][0]["events"] == changed["events"]
    # The new way may end earlier, and the roll with it.
    outlined = sum(start < len(changed["events"]) for _, start, _ in gone - notes)
    expect(card.locator("rect.gone")).to_have_count(outlined)


def _spans(events: list[int]) -> set[tuple[int, int, int]]:
    """Pitch, begin and end of each note, by the definition of events."""
    spans: set[tuple[int, int, int]] = set()
    begin: int | None = None
    for step, event in enumerate([*events, -1]):
        if event == -2:
            continue
        if begin is not None:
            spans.add((events[begin], begin, step))
        begin = step if event >= 0 else None
    return spans


def test_cards_say_how_surprising_they_are(wide: StudioPage) -> None:
    page = wide.page
    answers = []
    for surprise in ("0.1", "2"):
        page.get_by_label("Surprise, from expected to daring").fill(surprise)
        expect(page.get_by_label("Temperature", exact=True)).to_have_value(surprise)
        made = wide.generate(New_bars="8", Variations="1")["variations"][0]
        bits = -made["log_likelihood"] / math.log(2) / len(made["steps"])
        expect(page.get_by_role("article", name="Variation 1")).to_contain_text(f"surprise {bits:.2f} bits")
        answers.append(bits)
    assert answers[0] < answers[1]


def test_two_models_stand_side_by_side(wide: StudioPage) -> None:
    page = wide.page
    page.get_by_text("More choices").click()
    page.get_by_label("Beside it").select_option("lookback_rnn")  # which does not know how to end
    page.locator("#variations").fill("2")
    with page.expect_response(lambda response: "lookback_rnn" in (response.request.post_data or "")) as second:
        first = wide.generate(New_bars="4")
    other = second.value.json()
    assert (other["model"], other["seed"]) == ("lookback_rnn", first["seed"])
    cards = page.locator("#cards .card")
    expect(cards).to_have_count(4)
    for place, model in enumerate(["ostinato", "lookback_rnn"] * 2):
        expect(cards.nth(place)).to_contain_text(f"{model} · seed {first['seed']}")
    places = cards.evaluate_all("cards => cards.map((card) => [card.offsetLeft, card.offsetTop])")
    (left, first_row), (right, its_row) = places[:2]
    assert left < right
    assert first_row == its_row
    shown = page.locator("#cards .small-roll")
    for place, each in enumerate([first["variations"][0], other["variations"][0]]):
        expect(shown.nth(place).locator("rect.note")).to_have_count(sum(event >= 0 for event in each["events"]))


def test_the_attention_shows_where_it_looked(wide: StudioPage) -> None:
    page = wide.page
    page.get_by_label("Model").select_option("attention_rnn")
    answer = wide.generate(New_bars="4")
    roll = page.get_by_role("slider", name="Variation 1, step by step")
    roll.focus()
    roll.press("End")
    memory = len(answer["variations"][0]["attention"][-1])
    expect(roll.locator(".heat-cell")).to_have_count(memory)


def test_repeats_wear_the_colors_of_the_legend(wide: StudioPage) -> None:
    """Whatever the model does: the answer of the server is changed on its way."""
    page = wide.page
    distances = {32: 16, 36: 32, 40: 24, 44: None}
    events = [C4, -2, -2, -2] * 12
    steps = [
        {"step": s, "event": events[s], "probability": 0.5, "repeat_steps": distances.get(s), "candidates": [[C4, 0.5]]}
        for s in range(32, 48)
    ]
    made = {"events": events, "primer_steps": 32, "kept_steps": 0, "ends": False, "steps": steps, "attention": None}
    answer = {"model": "m", "seed": 1, "steps_per_bar": 16, "meter": "4/4", "variations": [made]}
    page.route("**/api/generate", lambda route: route.fulfill(json=answer))
    page.get_by_role("button", name="Generate", exact=True).click()
    expect(page.locator("#cards .small-roll")).to_have_count(1)
    classes = page.locator("#cards rect.note").evaluate_all("notes => notes.map((note) => note.getAttribute('class'))")
    assert classes == ["note is-given"] * 8 + ["note is-bar is-boldest", "note is-bars", "note is-far", "note is-fresh"]
    assert page.locator("#legend li:visible").all_inner_texts() == [
        "your melody",
        "new",
        "repeats one bar ago",
        "repeats two bars ago",
        "repeats an earlier passage",
    ]
    fills = page.locator("#cards rect.note").evaluate_all("notes => notes.map((note) => note.getAttribute('fill'))")
    assert len(Counter(fills)) == 5


def test_melodies_end_as_they_are_asked_to(wide: StudioPage) -> None:
    page = wide.page
    page.get_by_label("Meter", exact=True).select_option("6/8")
    page.get_by_text("More choices").click()
    ending = page.get_by_label("Ending", exact=True)
    page.get_by_label("Model").select_option("basic_rnn")
    expect(ending).to_be_disabled()
    expect(ending).to_have_accessible_description("This model has not learned where tunes end.")
    wide.generate(New_bars="2")
    assert {name: wide.asked_for().get(name) for name in ("num_bars", "ending")} == {"num_bars": 3 + 2, "ending": False}

    page.get_by_label("Model").select_option("finite")
    expect(ending).to_have_value("last")
    answer = wide.generate()
    assert (wide.asked_for()["ending"], answer["meter"]) == (True, "6/8")
    assert all(48 < len(each["events"]) <= 60 for each in answer["variations"])
    first = page.get_by_role("article", name="Variation 1")
    expect(first).to_contain_text("Ends in bar 5")
    expect(first.locator(".small-end")).to_have_count(2)
    page.get_by_role("button", name="Play Variation 1").click()
    expect(first.locator(".playhead")).to_be_visible()
    page.keyboard.press("Escape")

    ending.select_option("Let it end by itself")
    wide.generate()
    assert (wide.asked_for()["until_end"], "ending" in wide.asked_for()) == (True, False)
    ending.select_option("No ending")
    answer = wide.generate()
    assert [(len(each["events"]), each["ends"]) for each in answer["variations"]] == [(60, False)] * 4
    expect(first).to_contain_text("5 bars")


def test_marked_bars_are_made_anew(studio: StudioPage) -> None:
    page = studio.page
    events = [C4, -2, -2, -2, E4, -2, G4, -2] * 8  # four bars
    drop_file(studio, "tune.mid", midi_of(events))
    expect(page.locator("#message-text")).to_be_visible()
    page.get_by_role("button", name="Mark bars").click()
    first, last = page.get_by_label("First marked bar"), page.get_by_label("Last marked bar")
    expect(first).to_be_focused()
    last.fill("5")
    last.press("Tab")
    fill = page.get_by_role("button", name="Fill these bars anew")
    expect(fill).to_be_disabled()
    expect(fill).to_have_accessible_description(
        "Nothing is in bar 5 yet. Generate goes on from the end of your melody."
    )
    last.fill("3")
    last.press("Tab")
    answer = studio.answer_to(fill.click)
    assert studio.asked_for()["fill"] == [2, 3]
    assert len(answer["variations"]) == 4
    for each in answer["variations"]:
        assert each["events"][:16] + each["events"][48:] == events[:16] + events[48:]
    card = page.get_by_role("article", name="Variation 1")
    kinds = card.locator("rect.note").evaluate_all("notes => notes.map((note) => note.classList.contains('is-given'))")
    assert (kinds[:6], kinds[-6:], kinds.count(True)) == ([True] * 6, [True] * 6, 12)
    roll = page.get_by_role("slider", name="Variation 1, step by step")
    roll.focus()
    roll.press("End")
    expect(card.locator(".why-sentence")).to_have_text("Bar 4, beat 4, 16th 4: held, from your melody")
    for _ in range(20):
        roll.press("ArrowLeft")
    expect(card.locator(".why-sentence")).to_contain_text("likely")
    page.get_by_role("button", name="Unmark the bars").click()
    expect(page.locator("#marked")).to_be_hidden()


def test_locked_bars_stay_when_all_others_are_made_anew(studio: StudioPage) -> None:
    page = studio.page
    events = [C4, -2, -2, -2, E4, -2, G4, -2] * 8  # four bars
    drop_file(studio, "tune.mid", midi_of(events))
    expect(page.locator("#message-text")).to_be_visible()
    page.get_by_role("button", name="Mark bars").click()
    first, last = page.get_by_label("First marked bar"), page.get_by_label("Last marked bar")
    lock, fill = (page.get_by_role("button", name=name, exact=True) for name in ("Lock", "Fill these bars anew"))
    first.fill("1")
    first.press("Tab")
    last.fill("4")
    last.press("Tab")
    expect(fill).to_have_accessible_description(
        "No note would stay before these bars. Lock one that has notes, or clear the melody and press Generate."
    )
    first.fill("2")
    first.press("Tab")
    last.fill("2")
    last.press("Tab")
    lock.click()
    expect(fill).to_have_accessible_description("These bars are locked.")
    expect(page.locator(".roll-locks use")).to_have_count(1)
    page.get_by_role("button", name="Undo", exact=True).first.click()
    expect(lock).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Redo", exact=True).click()
    studio.open()  # the lock is still there
    expect(page.locator(".roll-locks use")).to_have_count(1)
    page.get_by_role("button", name="Mark bars").click()
    first.fill("1")
    first.press("Tab")
    last.fill("4")
    last.press("Tab")
    expect(fill).to_have_accessible_description("What comes before stays, and so do the locked bars.")
    answer = studio.answer_to(fill.click)
    assert (studio.asked_for()["fill"], studio.asked_for()["locked"]) == ([1, 4], [2])
    for each in answer["variations"]:
        assert each["events"][16:32] == events[16:32]
        assert each["ends"]
    card = page.get_by_role("article", name="Variation 1")
    kinds = card.locator("rect.note").evaluate_all("notes => notes.map((note) => note.classList.contains('is-given'))")
    assert kinds.count(True) == 6
    expect(card.get_by_title("temperature 1, bars 1 to 4 made anew, bar 2 locked", exact=True)).to_be_visible()


def test_bars_are_marked_over_the_grid(wide: StudioPage) -> None:
    page = wide.page
    box = page.locator(".roll-ruler").bounding_box()
    assert box is not None
    bar = 16 * float(page.locator(".roll-board").get_attribute("data-step-width") or "nan")
    page.mouse.move(box["x"] + 0.5 * bar, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 1.5 * bar, box["y"] + 10)
    page.mouse.up()
    assert [page.locator(f"#{which}-bar").input_value() for which in ("first", "last")] == ["1", "2"]
    expect(page.get_by_role("status")).to_have_text("Bars 1 to 2 are marked.")
    page.get_by_label("Meter", exact=True).select_option("3/4")  # its bars are others
    expect(page.locator("#marked")).to_be_hidden()


def test_a_bad_file_is_refused_in_words(studio: StudioPage) -> None:
    before = studio.primer()
    drop_file(studio, "holiday.mid", b"this is no music")
    message = studio.page.locator("#message-text")
    expect(message).to_be_visible()
    expect(message).to_contain_text("MIDI")
    expect(studio.page.get_by_role("alert")).to_have_text(message.inner_text())
    assert studio.primer() == before
    studio.complaints.clear()  # the browser's own word on the refusal


def test_a_midi_file_becomes_the_melody(studio: StudioPage, tmp_path: Path) -> None:
    events = [C4, -2, -2, -2, E4, -2, G4, -2] * 2
    drop_file(studio, "tune.mid", midi_of(events))
    expect(studio.page.locator("#message-text")).to_have_text("Your melody is now tune.mid.")
    assert studio.primer() == events
    assert studio.page.get_by_role("spinbutton", name="Tempo").input_value() == "96"

    path = tmp_path / "other.mid"
    path.write_bytes(midi_of([G4, -2, -2, -2]))
    studio.page.locator("#file").set_input_files(path)
    expect(studio.page.locator("#message-text")).to_have_text("Your melody is now other.mid.")
    assert studio.primer() == [G4, -2, -2, -2]


def test_of_several_tracks_one_is_chosen(wide: StudioPage) -> None:
    named = "00 ff 03 04 42 61 73 73"  # a track called Bass
    other = NOTE.replace("00 90 3c", "00 91 43").replace("80 3c", "81 43")  # G on the second channel
    drop_file(wide, "two.mid", midi(f"{NOTE} {END}", f"{named} {other} {END}"))
    dialog = wide.page.get_by_role("dialog", name="Which track?")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Bass").click()
    expect(dialog).to_be_hidden()
    assert wide.primer()[0] == G4


def test_favorites_are_there_after_a_reload(studio: StudioPage) -> None:
    page = studio.page
    answer = studio.generate(New_bars="2")
    page.get_by_role("button", name="Keep Variation 3 as a favorite").click()
    expect(page.get_by_role("article", name="Favorite 1")).to_be_visible()
    studio.open()
    favorite = page.get_by_role("article", name="Favorite 1")
    expect(favorite).to_contain_text(f"seed {answer['seed']}")
    favorite.get_by_role("button", name="Play Favorite 1").click()
    expect(favorite.locator(".playhead")).to_be_visible()
    favorite.get_by_role("button", name="Use as melody: Favorite 1").click()
    kept = answer["variations"][2]["events"]
    assert pitches_of(studio.primer()) == pitches_of(kept)
    favorite.get_by_role("button", name="Remove Favorite 1").click()
    expect(favorite).to_have_count(0)
    studio.open()
    expect(page.locator("#favorites-empty")).to_be_visible()


def test_notes_are_drawn_moved_stretched_and_erased_with_a_mouse(wide: StudioPage) -> None:
    page = wide.page
    page.get_by_role("button", name="Clear the melody").click()
    wide.drag((2, C4), (5, C4))
    assert wide.primer() == [-2, -2, C4, -2, -2, -2]
    wide.drag((3, C4), (5, E4))  # held in its middle: moved
    assert wide.primer() == [-2, -2, -2, -2, E4, -2, -2, -2]
    x, y = wide.cell(7, E4)
    width = float(page.locator(".roll-board").get_attribute("data-step-width") or "nan")
    page.mouse.move(x + width / 2 - 3, y)
    page.mouse.down()
    page.mouse.move(x - 2 * width, y)
    page.mouse.up()
    assert wide.primer() == [-2, -2, -2, -2, E4, -2]
    wide.press_cell(8, G4)
    x, y = wide.cell(4, E4)
    page.mouse.click(x, y, button="right")
    assert wide.primer() == [-2, -2, -2, -2, -2, -2, -2, -2, G4, -2]
    page.get_by_role("button", name="Eraser").click()
    wide.press_cell(8, G4)
    assert wide.primer() == []
    for _ in range(7):
        page.keyboard.press("Control+z")
    expect(page.locator(".roll-notes .note")).to_have_count(EXAMPLE_NOTES)


def test_a_finger_moves_a_note(touched: StudioPage) -> None:
    studio = touched
    before = studio.primer()
    client = studio.page.context.new_cdp_session(studio.page)
    x, y = studio.cell(0, E4)
    row = studio.page.locator(".roll-board").evaluate("board => board.querySelector('svg').clientHeight / 36")
    client.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x - 6, "y": y}]})
    for part in (1, 2, 3):
        point = {"x": x - 6, "y": y + part * row}
        client.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert studio.primer() == [E4 - 3, *before[1:]]


def test_keys_are_recorded_on_the_grid(wide: StudioPage) -> None:
    page = wide.page
    page.get_by_role("button", name="Record").click()
    expect(page.locator("#recording")).to_be_visible()
    page.keyboard.down("KeyA")
    page.wait_for_timeout(250)
    page.keyboard.up("KeyA")
    page.keyboard.down("KeyD")
    page.wait_for_timeout(150)
    page.keyboard.up("KeyD")
    page.get_by_role("button", name="Record").click()
    expect(page.locator("#message-text")).to_have_text("Recorded 2 notes.")
    assert pitches_of(wide.primer()) == [C4, E4]
    assert wide.primer()[0] == C4
    page.keyboard.press("KeyA")  # no longer a piano
    assert pitches_of(wide.primer()) == [C4, E4]


LOG_TICKS = """() => {
    window.ticks = [];
    const { setValueAtTime } = AudioParam.prototype;
    AudioParam.prototype.setValueAtTime = function (value, when) {
        if (value === 1200 || value === 1800) window.ticks.push(value);
        return setValueAtTime.call(this, value, when);
    };
}"""


def test_a_recording_clicks_and_stops_and_is_undone(studio: StudioPage) -> None:
    page = studio.page
    before = studio.primer()
    page.evaluate(LOG_TICKS)
    page.get_by_role("spinbutton", name="Tempo").fill("240")
    page.get_by_role("button", name="Metronome").click()
    page.get_by_role("button", name="Record").click()
    expect(page.locator("#recording")).to_be_visible()
    page.wait_for_function("() => ticks.length >= 4 + 5")  # a bar is counted in, and another one is over
    assert page.evaluate("ticks.slice(0, 9)") == [1800, 1200, 1200, 1200] * 2 + [1800]
    page.keyboard.press("KeyG")
    page.keyboard.press("Escape")
    expect(page.locator("#recording")).to_be_hidden()
    expect(page.locator("#message-text")).to_have_text("Recorded 1 note.")
    assert pitches_of(studio.primer()) == [67]
    assert len(studio.primer()) > 8  # the first bar is over, or nearly so: clicks are known a little ahead
    page.locator("#message-undo").click()
    assert studio.primer() == before


def test_a_recording_can_go_over_the_melody(wide: StudioPage) -> None:
    page = wide.page
    before = wide.primer()
    page.get_by_role("button", name="Go over the melody").click()
    page.get_by_role("button", name="Record").click()
    expect(page.locator(".roll-notes .note")).to_have_count(EXAMPLE_NOTES)
    page.wait_for_function(
        "() => new DOMMatrix(getComputedStyle(document.querySelector('.roll .playhead')).transform).e > 150"
    )
    page.keyboard.press("KeyA")
    page.get_by_role("button", name="Record").click()
    after = wide.primer()
    assert C4 in after
    assert C4 not in before
    where = after.index(C4)
    assert where >= 4
    assert after[: where - 1] == before[: where - 1]
    wide.open()
    expect(page.get_by_role("button", name="Go over the melody")).to_have_attribute("aria-pressed", "true")


def test_a_midi_keyboard_is_asked_for_by_a_click_and_recorded(wide: StudioPage) -> None:
    """The keyboard is a stand-in, for the browser of a test has none."""
    page = wide.page
    page.evaluate(
        """() => {
            window.keys = { name: "Grand 88" };
            navigator.requestMIDIAccess = async () => ({ inputs: new Map([["1", window.keys]]) });
        }"""
    )
    page.get_by_role("button", name="MIDI keyboard").click()
    expect(page.locator("#message-text")).to_contain_text("Listening to Grand 88.")
    page.get_by_role("button", name="Record").click()
    expect(page.locator("#recording")).to_be_visible()
    for status, pitch, velocity in ((0x90, G4, 90), (0x80, G4, 0), (0x93, E4, 1), (0x93, E4, 0), (0xB0, 64, 127)):
        page.evaluate("data => keys.onmidimessage({ data })", [status, pitch, velocity])
        page.wait_for_timeout(150)
    page.get_by_role("button", name="Record").click()
    assert pitches_of(wide.primer()) == [G4, E4]


def test_a_result_is_dragged_onto_the_melody(wide: StudioPage) -> None:
    answer = wide.generate(New_bars="1")
    head = wide.page.get_by_role("article", name="Variation 1").locator(".card-name")
    wide.page.locator("#roll").scroll_into_view_if_needed()
    wide.page.evaluate("scrollTo(0, 250)")  # so that both are to be seen
    head.drag_to(wide.page.locator("#roll"), target_position={"x": 400, "y": 250})
    expect(wide.page.locator("#message-text")).to_have_text("Your melody is now what you dropped.")
    assert pitches_of(wide.primer()) == pitches_of(answer["variations"][0]["events"])


def test_a_result_dragged_out_of_the_browser_is_a_midi_file(wide: StudioPage) -> None:
    answer = wide.generate(New_bars="1")
    head = wide.page.get_by_role("article", name="Variation 2").locator(".card-head")
    with wide.page.expect_response("**/api/midi"):
        head.dispatch_event("pointerdown")
    wide.page.wait_for_function(
        """head => {
            const dataTransfer = new DataTransfer();
            head.dispatchEvent(new DragEvent("dragstart", { dataTransfer, bubbles: true }));
            return (window.dragged = dataTransfer.getData("DownloadURL"));
        }""",
        arg=head.element_handle(),
    )
    kind, name, url = wide.page.evaluate("dragged").split(":", 2)
    assert (kind, name) == ("audio/midi", f"ostinato-{answer['seed']}-2.mid")
    data = b64decode(url.removeprefix("data:audio/midi;base64,"))
    assert pitches(data) == pitches_of(answer["variations"][1]["events"])


def test_wishes_that_cannot_be_are_explained(wide: StudioPage) -> None:
    page = wide.page
    page.get_by_label("New bars").fill("99")
    page.get_by_role("button", name="Generate", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("Please make the number of new bars a whole number from 1 to 32.")
    expect(page.get_by_label("New bars")).to_be_focused()
    page.get_by_label("New bars").fill("1")
    page.get_by_text("More choices").click()
    page.get_by_label("Key", exact=True).select_option("Eb")
    page.get_by_label("Mode", exact=True).select_option("dorian")
    wide.generate()
    assert wide.asked_for()["key"] == "Eb dorian"


def test_meters_reach_the_model(wide: StudioPage) -> None:
    for meter, steps in (("3/4", 12), ("6/8", 12), ("12/8", 24), ("2/2", 16)):
        wide.page.get_by_label("Meter").select_option(meter)
        answer = wide.generate(New_bars="1", Variations="1")
        assert wide.asked_for()["primer"]["meter"] == meter
        assert (answer["meter"], answer["steps_per_bar"]) == (meter, steps)
        assert wide.asked_for()["num_bars"] == -(-EXAMPLE_STEPS // steps) + 1


def test_a_server_that_is_gone_is_told_of(wide: StudioPage) -> None:
    wide.page.route("**/api/generate", lambda route: route.abort())
    wide.page.get_by_role("button", name="Generate", exact=True).click()
    expect(wide.page.get_by_role("alert")).to_contain_text("The studio does not answer.")
    wide.complaints.clear()  # the browser's own word on it


def test_who_has_to_wait_sees_where_they_stand(studio: StudioPage) -> None:
    page = studio.page
    waiting = page.locator("#waiting")
    held: list[Route] = []
    queue = {"ahead": 5, "seconds": 1.2}
    names: list[str | None] = []

    def tell_queue(route: Route) -> None:
        names.append(route.request.header_value("Ostinato-Client"))
        route.fulfill(json=queue)

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/api/queue", tell_queue)
    page.route("**/api/generate", hold)
    page.get_by_role("button", name="Generate", exact=True).click()
    expect(waiting).to_have_text("5 requests are before yours, about 2 seconds.")
    expect(page.get_by_role("status")).to_have_text("5 requests are before yours, about 2 seconds.")
    queue |= {"ahead": 1, "seconds": 0.2}
    expect(waiting).to_have_text("One request is before yours, about a second.")
    queue |= {"ahead": 0, "seconds": 0.0}
    expect(waiting).to_have_text("Yours is being made.")
    held[0].continue_()
    expect(page.locator("#cards .small-roll")).to_have_count(4)
    expect(waiting).to_be_hidden()
    assert len(set(names)) == 1
    assert names[0] == held[0].request.header_value("Ostinato-Client")
    assert names[0]


def test_who_was_refused_reads_when_to_try_again(wide: StudioPage) -> None:
    answer = {"error": "too much is being done at once; ask again in 3 seconds"}
    wide.page.route("**/api/generate", lambda route: route.fulfill(status=503, json=answer))
    wide.page.get_by_role("button", name="Generate", exact=True).click()
    expect(wide.page.get_by_role("alert")).to_have_text("Too much is being done at once; ask again in 3 seconds.")
    wide.complaints.clear()  # the browser's own word on the refusal


def test_a_meter_goes_all_the_way_into_files(wide: StudioPage) -> None:
    page = wide.page
    page.get_by_label("Meter", exact=True).select_option("6/8")
    page.get_by_role("spinbutton", name="Tempo").fill("97.5")
    page.get_by_role("spinbutton", name="Tempo").press("Enter")
    page.get_by_role("button", name="Metronome").click()
    page.get_by_label("Sound").select_option("Flute")
    wide.generate(New_bars="4", Variations="2")
    score: Any = symusic.Score.from_midi(wide.saved("MIDI: Variation 1").read_bytes())
    assert [(each.numerator, each.denominator) for each in score.time_signatures] == [(6, 8)]
    assert round(score.tempos[0].qpm, 1) == 97.5
    with page.expect_request("**/api/wav") as request:
        page.get_by_role("button", name="WAV: Variation 1").click()
    asked = json.loads(request.value.post_data or "")
    assert {name: asked[name] for name in ("meter", "qpm", "clicks", "program")} == {
        "meter": "6/8",
        "qpm": 97.5,
        "clicks": True,
        "program": 73,  # General MIDI's flute
    }


def test_a_file_keeps_its_tempo_and_favorites_their_colors(wide: StudioPage) -> None:
    page = wide.page
    book = b"X:1\nT:A tune\nM:6/8\nL:1/8\nQ:1/4=97.5\nK:C\nCDE FGA|Bcd e3|\n\nX:2\nM:6/8\nL:1/8\nK:C\nEEE FFF|\n"
    drop_file(wide, "two.abc", book)
    page.get_by_role("dialog", name="Which track?").get_by_role("button", name="Tune 1").click()
    expect(page.get_by_role("spinbutton", name="Tempo")).to_have_value("97.5")
    expect(page.get_by_label("Meter", exact=True)).to_have_value("6/8")
    wide.generate(New_bars="2", Variations="1")
    kinds = "notes => notes.map((note) => note.getAttribute('fill'))"
    colors = page.locator("#cards rect.note").evaluate_all(kinds)
    page.get_by_role("button", name="Keep Variation 1 as a favorite").click()
    expect(page.get_by_role("article", name="Favorite 1")).to_be_visible()
    wide.open()
    assert page.locator("#favorites rect.note").evaluate_all(kinds) == colors


SCORE = """<?xml version="1.0"?><score-partwise version="4.0"><part-list><score-part id="P1"><part-name>V</part-name>
</score-part></part-list><part id="P1"><measure number="1"><attributes><divisions>1</divisions>
<time><beats>3</beats><beat-type>4</beat-type></time></attributes>
<note><pitch><step>C</step><octave>4</octave></pitch><duration>1</duration></note>
<note><pitch><step>E</step><octave>4</octave></pitch><duration>1</duration></note>
<note><pitch><step>G</step><octave>4</octave></pitch><duration>1</duration></note></measure></part></score-partwise>"""
CONTAINER = """<?xml version="1.0"?><container><rootfiles><rootfile full-path="score.xml"/></rootfiles></container>"""


def _zipped_score() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("META-INF/container.xml", CONTAINER)
        archive.writestr("score.xml", SCORE)
    return buffer.getvalue()


def test_scores_and_karaoke_are_read_as_everywhere(wide: StudioPage) -> None:
    for name, data, meter in (
        ("tune.musicxml", SCORE.encode(), "3/4"),
        ("tune.kar", midi_of([C4, -2, -2, -2, E4, -2, -2, -2, G4, -2, -2, -2, -2, -2, -2, -2]), "4/4"),
        ("tune.mxl", _zipped_score(), "3/4"),
        ("tune.abc", b"X:1\nM:4/4\nL:1/4\nK:C\nCEG2|\n", "4/4"),
    ):
        drop_file(wide, name, data)
        expect(wide.page.locator("#message-text")).to_have_text(f"Your melody is now {name}.")
        expect(wide.page.get_by_label("Meter", exact=True)).to_have_value(meter)
        assert pitches_of(wide.primer()) == [C4, E4, G4]


def in_sight(studio: StudioPage) -> bool:
    """Whether all notes of the roll can be seen, up and down."""
    shown: bool = studio.page.evaluate(
        """() => {
            const place = document.querySelector("#roll").getBoundingClientRect();
            return [...document.querySelectorAll(".roll-notes .note")]
                .map((note) => note.getBoundingClientRect())
                .every(({ top, bottom }) => top >= place.top + 26 && bottom <= place.bottom);
        }"""
    )
    return shown


def test_the_view_follows_the_notes(wide: StudioPage) -> None:
    page = wide.page
    for model in ("mono_rnn", "ostinato", "attention_rnn"):
        page.get_by_label("Model").select_option(model)
        assert in_sight(wide)
    for pitch in (20, 110):  # far below and above what there is room for
        drop_file(wide, "far.mid", midi_of([pitch, -2, pitch + 2, -2] * 4))
        expect(page.locator("#message-text")).to_have_text("Your melody is now far.mid.")
        assert in_sight(wide)
        page.get_by_role("button", name="Undo", exact=True).first.click()
        assert in_sight(wide)


def test_a_long_melodys_card_shows_where_the_new_begins(studio: StudioPage) -> None:
    drop_file(studio, "long.mid", midi_of([C4, -2, E4, -2, G4, -2, E4, -2] * 56))  # 28 bars
    expect(studio.page.locator("#message-text")).to_have_text("Your melody is now long.mid.")
    studio.generate(New_bars="2", Variations="1")
    roll = studio.page.get_by_role("slider", name="Variation 1, step by step")
    expect(roll.get_by_text("29", exact=True)).to_be_in_viewport()
    kept, fresh = roll.locator("rect.note.is-given").last, roll.locator("rect.note:not(.is-given)").first
    expect(kept).to_be_in_viewport()
    expect(fresh).to_be_in_viewport()
