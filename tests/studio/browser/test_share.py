"""Melodies that are handed on: as a link, and by dragging."""

import json
from base64 import b64decode
from typing import Any

import pytest

pytest.importorskip("playwright")

import symusic
from playwright.sync_api import expect

from studio_page import StudioPage

C4, D4, E4 = 60, 62, 64


def evaluate(studio: StudioPage, program: str) -> Any:
    return studio.page.evaluate(f'async () => {{ const m = await import("/static/share.js"); {program} }}')


def copied(studio: StudioPage, name: str) -> str:
    """What is in the clipboard after a press of a button."""
    studio.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    studio.page.get_by_role("button", name=name, exact=True).click()
    expect(studio.page.locator("#message-text")).to_contain_text("Copied a link")
    text: str = studio.page.evaluate("navigator.clipboard.readText()")
    return text


def drag_out(studio: StudioPage, handle: str) -> tuple[str, str, bytes]:
    """The media type, the name and the bytes of the file that another program takes."""
    grip = studio.page.locator(handle).first
    with studio.page.expect_response("**/api/midi"):
        grip.dispatch_event("pointerdown")
    studio.page.wait_for_function(
        """grip => {
            const dataTransfer = new DataTransfer();
            grip.dispatchEvent(new DragEvent("dragstart", { dataTransfer, bubbles: true }));
            return (window.dragged = dataTransfer.getData("DownloadURL"));
        }""",
        arg=grip.element_handle(),
    )
    kind, name, url = studio.page.evaluate("dragged").split(":", 2)
    return kind, name, b64decode(url.removeprefix("data:audio/midi;base64,"))


def pitches(data: bytes) -> list[int]:
    score: Any = symusic.Score.from_midi(data)
    return [note.pitch for note in score.tracks[0].notes]


def test_a_link_is_read_as_it_is_described(wide: StudioPage) -> None:
    """Bytes 1, 61, 129, 0, 63: it ends, C4, a step more, the end of the note, D4."""
    melody = {"events": [C4, -2, -1, D4], "meter": "6/8", "qpm": 97.5, "ends": True}
    link = evaluate(wide, f"return m.linkOf({{ ...{melody}, ends: true }})".replace("True", "true"))
    assert link == f"{wide.url}#melody=1/6/8/97.5/AT2BAD8"
    assert evaluate(wide, f'return m.melodyOf("{link}", 1024)') == melody
    # 300 steps more than the note's first are runs of 127, 127 and 46: bytes 255, 255, 174.
    long = evaluate(wide, "return m.linkOf({ events: [0, ...Array(300).fill(-2), 127], meter: '4/4', qpm: 120 })")
    assert long.endswith("#melody=1/4/4/120/AAH__66A")
    assert evaluate(wide, f'return m.melodyOf("{long}", 302).events') == [0, *[-2] * 300, 127]


DAMAGED = [
    "",
    "1",
    "x/4/4/120/AD0",
    "1/4/4/120",
    "1/4/4/120/",
    "1/4/4/120/A",  # half a byte
    "1/4/4/120/AA",  # no note
    "1/4/4/120/AAA",  # its end alone
    "1/4/4/120/Aj0",  # ends is 2
    "1/4/4/120/AD0=",
    "1/4/4/120/AD0/AD0",
    "1/4/4/120/AD%20",
    "1/4/4/1e2/AD0",
    "1/4/4/19/AD0",
    "1/4/4/401/AD0",
    "1/4/5/120/AD0",
    "1/17/4/120/AD0",  # longer than four whole notes
    "1/0/4/120/AD0",
    "1/4/4/120/AD3_____________________________________",  # more steps than a melody may have
    "1/4/4/120/<script>",
]
REFUSAL = "This link is damaged, so your melody stays as it is. Ask for the link again."


def test_a_damaged_link_is_refused_in_a_line(wide: StudioPage) -> None:
    program = "try { return m.melodyOf(`#melody=${fragment}`, 1024); } catch (error) { return error.message; }"
    for fragment in DAMAGED:
        assert evaluate(wide, f"const fragment = {json.dumps(fragment)}; {program}") == REFUSAL, fragment

    before = wide.primer()
    # An address of the same page: it is not loaded again.
    wide.page.evaluate("() => { location.hash = 'melody=1/4/4/120/A'; }")
    expect(wide.page.get_by_role("alert")).to_have_text(REFUSAL)
    assert wide.primer() == before
    assert wide.page.url == wide.url
    assert wide.page.locator("#undo").is_disabled()


def test_a_link_of_a_newer_studio_is_refused(wide: StudioPage) -> None:
    wide.page.goto(f"{wide.url}#melody=3/4/4/120/AD0")
    expect(wide.page.get_by_role("alert")).to_have_text(
        "This link was made by a newer studio. Update Ostinato to open it."
    )


def test_a_copied_link_brings_the_melody_and_keeps_the_session(studio: StudioPage) -> None:
    page = studio.page
    page.get_by_label("Meter", exact=True).select_option("3/4")
    page.get_by_role("spinbutton", name="Tempo").fill("97.5")
    page.get_by_role("spinbutton", name="Tempo").press("Enter")
    first = studio.primer()
    link = copied(studio, "Copy link: your melody")
    assert link.startswith(f"{studio.url}#melody=1/3/4/97.5/")

    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_role("button", name="Clear the melody").click()
    page.get_by_label("Meter", exact=True).select_option("6/8")
    page.get_by_role("spinbutton", name="Tempo").fill("60")
    page.get_by_role("spinbutton", name="Tempo").press("Enter")
    other = studio.tab()  # begins with a copy of this one's session
    other.page.goto(link)
    expect(other.page.locator("#message-text")).to_have_text("Your melody is now what the link holds.")
    assert other.primer() == first
    assert other.page.get_by_label("Meter", exact=True).input_value() == "3/4"
    assert other.page.get_by_role("spinbutton", name="Tempo").input_value() == "97.5"
    assert other.page.url == studio.url  # a reload does not open it again
    other.page.get_by_role("button", name="Undo").first.click()
    assert other.primer() == []
    assert not any("melody=" in url for url in asked)


def test_a_link_is_pasted(wide: StudioPage) -> None:
    text = "Listen: http://elsewhere.test:9000/#melody=1/6/8/97.5/AT2BAD8 (a cuckoo)"
    wide.page.evaluate(
        """text => {
            const clipboardData = new DataTransfer();
            clipboardData.setData("text/plain", text);
            const options = { clipboardData, bubbles: true, cancelable: true };
            document.body.dispatchEvent(new ClipboardEvent("paste", options));
        }""",
        text,
    )
    expect(wide.page.locator("#message-text")).to_have_text("Your melody is now what the link holds.")
    assert wide.primer() == [C4, -2, -1, D4]


def test_ctrl_v_pastes_a_link_where_no_notes_were_copied(wide: StudioPage) -> None:
    page = wide.page
    link = copied(wide, "Copy link: your melody")
    first = wide.primer()
    page.get_by_role("button", name="Clear the melody").click()
    page.keyboard.press("Control+v")
    expect(page.locator("#message-text")).to_have_text("Your melody is now what the link holds.")
    assert link.startswith(wide.url)
    assert wide.primer() == first


def test_variations_have_links_of_their_own(wide: StudioPage) -> None:
    answer = wide.generate(New_bars="2")
    link = copied(wide, "Copy link: Variation 2")
    melody = evaluate(wide, f'return m.melodyOf("{link}", 1024)')
    assert melody["events"] == answer["variations"][1]["events"]
    assert melody["qpm"] == 120


def test_where_nothing_can_be_copied_the_link_is_in_the_address_bar(wide: StudioPage) -> None:
    wide.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new DOMException('no')); }")
    wide.page.get_by_role("button", name="Copy link: your melody").click()
    expect(wide.page.locator("#message-text")).to_contain_text("copy it from there")
    assert wide.page.url.startswith(f"{wide.url}#melody=1/4/4/120/")


def test_the_melody_is_dragged_out_of_the_browser_as_it_is_now(wide: StudioPage) -> None:
    kind, name, data = drag_out(wide, "#melody-tools .grip")
    assert (kind, name) == ("audio/midi", "ostinato-melody.mid")
    first = [event for event in wide.primer() if event >= 0]
    assert pitches(data) == first
    wide.press_cell(32, E4)
    assert pitches(drag_out(wide, "#melody-tools .grip")[2]) == [*first, E4]
    wide.page.get_by_role("button", name="Clear the melody").click()
    expect(wide.page.get_by_role("button", name="Copy link: your melody")).to_be_disabled()
    expect(wide.page.get_by_role("button", name="MIDI: your melody")).to_be_disabled()


def test_the_melody_is_saved_as_midi_and_sound(wide: StudioPage) -> None:
    assert pitches(wide.saved("MIDI: your melody").read_bytes()) == [event for event in wide.primer() if event >= 0]
    assert wide.saved("WAV: your melody").read_bytes()[:4] == b"RIFF"
