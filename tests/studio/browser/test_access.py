"""The studio's page for those who use no mouse, or no eyes."""

import pytest

pytest.importorskip("playwright")

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, expect

from studio_page import NARROW, WIDE, StudioPage, visit

C4 = 60


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_axe_finds_nothing_serious(browser: Browser, url: str, width: int, scheme: str) -> None:
    context, studio = visit(browser, url, width, color_scheme=scheme, reduced_motion="reduce", bypass_csp=True)
    try:
        studio.generate(New_bars="2")
        studio.page.get_by_role("button", name="Keep Variation 1 as a favorite").click()
        studio.page.get_by_text("More choices").click()
        studio.page.get_by_role("button", name="Mark bars").click()
        for name in ("Your melody", "Variation 1"):
            studio.page.get_by_role("button", name=f"Staff: {name}").click()
            studio.page.get_by_role("region", name=f"{name} as notation").locator("svg").wait_for()
        roll = studio.page.get_by_role("slider", name="Variation 2, step by step")
        roll.focus()
        roll.press("End")
        studio.page.get_by_role("button", name="Mixer").click()
        found = Axe().run(studio.page).response["violations"]
        problems = [
            f"{each['impact']}: {each['help']}: {node['html']}"
            for each in found
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]
        assert problems == []
    finally:
        context.close()


def test_everything_to_press_is_large_enough_for_a_finger(browser: Browser, url: str) -> None:
    context, studio = visit(browser, url, NARROW)
    try:
        studio.generate(New_bars="2")
        studio.page.get_by_text("More choices").click()
        studio.page.get_by_role("button", name="Mark bars").click()
        studio.page.get_by_role("button", name="Staff: Your melody").click()
        studio.page.get_by_role("button", name="Print: Your melody").wait_for()
        studio.page.get_by_role("button", name="Mixer").click()
        small = studio.page.locator("button:visible, select:visible, input:visible, summary:visible").evaluate_all(
            """controls => controls
                .map((control) => [control.id || control.textContent, control.getBoundingClientRect()])
                .filter(([, box]) => box.width < 40 || box.height < 40)
                .map(([name, box]) => `${name}: ${box.width} x ${box.height}`)"""
        )
        assert small == []
    finally:
        context.close()


def test_the_keyboard_alone_reaches_everything(wide: StudioPage) -> None:
    page = wide.page
    wide.generate(New_bars="4", Variations="2")
    page.get_by_role("button", name="Mark bars").click()
    page.evaluate("document.activeElement.blur(); document.querySelectorAll('details').forEach((d) => (d.open = true))")
    wanted = set(
        page.evaluate(
            """() => [...document.querySelectorAll("button, select, input, summary, [tabindex='0']")]
                .filter((control) => control.checkVisibility() && !control.disabled && control.tabIndex >= 0)
                .map((control, i) => (control.dataset.stop = String(i)))"""
        )
    )
    reached = set()
    page.evaluate("document.body.setAttribute('tabindex', '-1'); document.body.focus()")
    for _ in range(len(wanted) + 10):
        page.keyboard.press("Tab")
        stop = page.evaluate("document.activeElement?.dataset.stop ?? null")
        if stop is not None:
            reached.add(stop)
            # Who is there can see where.
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert reached == wanted


def test_a_melody_is_written_and_changed_with_keys(wide: StudioPage) -> None:
    page = wide.page
    page.get_by_role("button", name="Clear the melody").click()
    board = page.get_by_role("application", name="Your melody")
    board.focus()
    status = page.get_by_role("status")
    keys = ["Home", *["ArrowUp"] * 2, *["ArrowDown"] * 2, "ArrowRight", "ArrowLeft"]
    for key in keys:
        board.press(key)
    expect(status).to_have_text("C4, bar 1, beat 1")
    board.press("Enter")
    assert wide.primer() == [C4, -2, -2, -2]
    expect(status).to_have_text("C4 drawn, bar 1, beat 1, 4 16ths long.")
    board.press("Shift+ArrowLeft")
    assert wide.primer() == [C4, -2, -2]
    board.press("Shift+ArrowUp")
    assert wide.primer() == [C4 + 1, -2, -2]
    board.press("Control+ArrowRight")
    assert wide.primer() == [-2, C4 + 1, -2, -2]
    board.press("End")
    board.press("Enter")
    assert wide.primer() == [-2, C4 + 1, -2, -2, C4 + 1, -2, -2]
    board.press("Delete")
    assert wide.primer() == [-2, C4 + 1, -2, -2]
    board.press("Control+z")
    assert wide.primer() == [-2, C4 + 1, -2, -2, C4 + 1, -2, -2]
    board.press("Control+Shift+z")
    assert wide.primer() == [-2, C4 + 1, -2, -2]


def test_results_are_walked_through_and_changed_with_keys(wide: StudioPage) -> None:
    page = wide.page
    events = wide.answer_to(lambda: page.keyboard.press("Control+Enter"))["variations"][0]["events"]
    roll = page.get_by_role("slider", name="Variation 1, step by step")
    roll.focus()
    for key, step in (
        ("Home", 0),
        ("ArrowRight", 1),
        ("PageUp", 17),
        ("End", len(events) - 1),
        ("Home", 0),
        ("PageUp", 16),
    ):
        roll.press(key)
        assert roll.get_attribute("aria-valuenow") == str(step)
    assert "from your melody" in (roll.get_attribute("aria-valuetext") or "")
    for _ in range(3):
        roll.press("PageUp")
    assert "likely" in (roll.get_attribute("aria-valuetext") or "")
    wide.answer_to(lambda: roll.press("r"))
    assert wide.asked_for()["primer"]["events"] == events[:64]
    expect(roll).to_be_focused()
    expect(roll).to_have_attribute("aria-valuenow", "64")
    roll.press("Enter")
    expect(page.get_by_role("button", name="Stop Variation 1")).to_be_visible()
