"""What made a melody travels with it: its card, its file's name, its favorite and "Again" tell the truth."""

import pytest

pytest.importorskip("playwright")

from playwright.sync_api import expect

from studio_page import StudioPage


def change_from(studio: StudioPage, variation: int, step: int) -> list[int]:
    """The notes of a variation after "Change from here" at a step."""
    roll = studio.page.get_by_role("slider", name=f"Variation {variation}, step by step")
    roll.focus()
    roll.press("Home")
    for _ in range(step // 16):
        roll.press("PageUp")
    for _ in range(step % 16):
        roll.press("ArrowRight")
    (made,) = studio.answer_to(lambda: roll.press("r"))["variations"]
    events: list[int] = made["events"]
    return events


def test_each_melody_says_what_made_it_whatever_is_chosen_later(wide: StudioPage) -> None:
    page = wide.page
    wide.generate(New_bars="4", Temperature="1.5", Seed="7")
    page.get_by_label("Model").select_option("lookback_rnn")
    page.get_by_label("Temperature", exact=True).fill("0.7")
    page.get_by_label("Seed", exact=True).fill("8")
    changed = change_from(wide, 2, 36)
    first, second = (page.get_by_role("article", name=f"Variation {number}") for number in (1, 2))
    expect(first).to_contain_text("ostinato · seed 7")
    expect(first.get_by_title("temperature 1.5", exact=True)).to_be_visible()
    expect(second).to_contain_text("lookback_rnn · seed 8 · new from bar 3, beat 2")
    expect(second.get_by_title("temperature 0.7", exact=True)).to_be_visible()
    assert wide.download("MIDI: Variation 1").suggested_filename == "ostinato-7-1.mid"
    assert wide.download("MIDI: Variation 2").suggested_filename == "lookback_rnn-8-1-from-bar-3.mid"
    assert wide.download("WAV: Variation 1").suggested_filename == "ostinato-7-1.wav"
    for number in (1, 2):
        page.get_by_role("button", name=f"Keep Variation {number} as a favorite").click()
    page.get_by_label("Seed", exact=True).fill("9")
    wide.generate()
    wide.open()
    expect(page.get_by_role("article", name="Favorite 1")).to_contain_text("ostinato · seed 7")
    expect(page.get_by_role("article", name="Favorite 2")).to_contain_text("lookback_rnn · seed 8 · new from bar 3")
    assert wide.download("MIDI: Favorite 2").suggested_filename == "lookback_rnn-8-1-from-bar-3.mid"
    answer = wide.answer_to(page.get_by_role("button", name="Again: Favorite 2").click)
    assert answer["variations"][0]["events"] == changed
    expect(page.locator("#message-text")).to_have_text("Variation 1 has the same notes again.")
    expect(first).to_contain_text("lookback_rnn · seed 8 · new from bar 3, beat 2")
    expect(page.get_by_label("Seed", exact=True)).to_have_value("9")  # what is chosen stays


def test_again_makes_the_same_notes(studio: StudioPage) -> None:
    page = studio.page
    made = studio.generate(New_bars="2")["variations"]
    colors = page.locator("#cards rect.note").evaluate_all("notes => notes.map((note) => note.getAttribute('class'))")
    page.get_by_role("button", name="Clear the melody").click()
    page.get_by_label("Model").select_option("basic_rnn")
    studio.generate(New_bars="1", Variations="1", Temperature="0.5")
    page.get_by_role("button", name="Undo", exact=True).first.click()
    answer = studio.answer_to(page.get_by_role("button", name="Again: Variation 3").click)
    assert [each["events"] for each in answer["variations"]] == [each["events"] for each in made]
    expect(page.locator("#message-text")).to_have_text("Variation 3 has the same notes again.")
    again = page.locator("#cards rect.note").evaluate_all("notes => notes.map((note) => note.getAttribute('class'))")
    assert again == colors


def test_a_model_that_has_changed_is_not_passed_off_as_the_same(wide: StudioPage) -> None:
    page = wide.page
    answer = wide.generate(New_bars="1", Variations="1")
    answer["variations"][0]["events"][-1] = 60
    page.route("**/api/generate", lambda route: route.fulfill(json=answer))
    page.get_by_role("button", name="Again: Variation 1").click()
    expect(page.locator("#message-text")).to_have_text(
        "The model “ostinato” has changed since, so the notes are others."
    )


def test_a_locked_seed_goes_on_through_its_sequence_and_says_which(wide: StudioPage) -> None:
    page = wide.page
    wide.generate(New_bars="4", Temperature="1.5", Seed="7")
    message, card = page.locator("#message-text"), page.get_by_role("article", name="Variation 1")
    made = []
    for draw in (1, 2, 3):
        made.append(change_from(wide, 1, 40))
        expect(message).to_have_text(f"Variation 1: the rest is new, from seed 7, draw {draw}.")
    expect(card).to_contain_text("ostinato · seed 7, draw 3 · new from bar 3, beat 3")
    assert len({tuple(events) for events in made}) == 3
    page.get_by_role("button", name="Undo", exact=True).first.click()  # what was undone does not come again
    change_from(wide, 1, 40)
    expect(message).to_have_text("Variation 1: the rest is new, from seed 7, draw 4.")
    change_from(wide, 1, 36)  # another step begins the sequence anew
    expect(message).to_have_text("Variation 1: the rest is new, from seed 7, draw 1.")
    change_from(wide, 2, 40)
    assert wide.asked_for()["seed"] == 7
    answer = wide.answer_to(page.get_by_role("button", name="Again: Variation 2").click)
    assert answer["seed"] == 7
    expect(message).to_have_text("Variation 1 has the same notes again.")
