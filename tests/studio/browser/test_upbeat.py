"""Melodies that begin with an upbeat, which is not counted among the bars."""

import re

import pytest

pytest.importorskip("playwright")

from playwright.sync_api import Locator, expect

from studio_page import StudioPage

C4, G3 = 60, 55


def numbers(picture: Locator) -> list[str]:
    return picture.all_text_contents()


def test_melodies_that_the_model_begins_may_have_an_upbeat(wide: StudioPage) -> None:
    page = wide.page
    page.get_by_role("button", name="Clear the melody").click()
    wide.generate(New_bars="4", Seed="7")
    assert wide.asked_for()["upbeat"] is None

    page.get_by_text("More choices").click()
    page.get_by_label("Upbeat", exact=True).select_option("Always")
    answer = wide.generate()
    assert wide.asked_for()["upbeat"] is True
    for variation in answer["variations"]:
        first = next(step for step, event in enumerate(variation["events"]) if event >= 0)
        assert 8 <= first < 16
        assert len(variation["events"]) <= (1 + 4) * 16
    assert numbers(page.locator("#cards .card").first.locator(".small-number")) == ["0", "1", "2", "3", "4"]
    expect(page.locator("#cards .card-name p").first).to_have_text(re.compile(r"^Ends in bar [34] · "))
    roll = page.get_by_role("slider", name="Variation 1, step by step")
    roll.focus()
    roll.press("Home")
    expect(roll).to_have_attribute("aria-valuetext", "upbeat, beat 1: silence")

    page.get_by_label("Upbeat", exact=True).select_option("Never")
    answer = wide.generate()
    assert all(variation["events"][0] >= 0 for variation in answer["variations"])
    assert numbers(page.locator("#cards .card").first.locator(".small-number")) == ["1", "2", "3", "4"]


def test_a_melody_with_an_upbeat_is_counted_from_it(wide: StudioPage) -> None:
    page = wide.page
    page.get_by_role("button", name="Clear the melody").click()
    for step, pitch in ((12, G3), (16, C4), (32, C4)):
        wide.press_cell(step, pitch)
    ruler = page.locator(".roll-ruler text:not(.roll-goes-on)")
    assert numbers(ruler) == ["0", "1", "2", "3"]
    page.get_by_role("button", name="Staff: Your melody").click()
    expect(page.get_by_role("img", name="Your melody: 2 bars of 4/4 in C major, with an upbeat")).to_be_visible()

    page.get_by_role("button", name="Mark bars").click()
    first, last = page.get_by_label("First marked bar"), page.get_by_label("Last marked bar")
    assert (first.input_value(), last.input_value()) == ("1", "1")
    assert first.get_attribute("min") == "0"
    wide.answer_to(page.get_by_role("button", name="Fill these bars anew").click)
    assert wide.asked_for()["fill"] == [2, 2]  # as the server counts
    expect(page.locator("#cards .card-name p").first).to_have_attribute("title", re.compile("bars 1 to 1 made anew"))
    first.fill("0")
    first.press("Enter")
    assert (first.input_value(), last.input_value()) == ("0", "1")
    last.fill("3")
    last.press("Tab")
    expect(page.locator("#fill-note")).to_contain_text("Nothing is in bar 3 yet.")

    answer = wide.generate(New_bars="2", Seed="7")
    assert wide.asked_for()["num_bars"] == 1 + 2 + 2
    assert "upbeat" not in wide.asked_for()
    roll = page.get_by_role("slider", name="Variation 1, step by step")
    roll.focus()
    roll.press("End")
    assert len(answer["variations"][0]["events"]) > 4 * 16
    expect(roll).to_have_attribute("aria-valuetext", re.compile("^bar 4, beat"))


def test_it_is_played_from_its_first_note(wide: StudioPage) -> None:
    page = wide.page
    page.get_by_role("button", name="Clear the melody").click()
    for step, pitch in ((12, G3), (16, C4)):
        wide.press_cell(step, pitch)
    page.get_by_role("spinbutton", name="Tempo").fill("20")  # 0.75 seconds a step
    page.get_by_role("spinbutton", name="Tempo").press("Enter")
    page.get_by_role("button", name="Play your melody").click()
    playhead = page.locator("#roll .playhead")
    expect(playhead).to_be_visible()
    width = float(page.locator(".roll-board").get_attribute("data-step-width") or "nan")
    x = playhead.evaluate("line => new DOMMatrix(getComputedStyle(line).transform).e")
    assert 12 * width <= x < 14 * width
