"""The studio's page in a real browser, as its tests hold it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Download, Page, Request

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WIDE, NARROW = 1280, 390
SECONDS = 10  # that anything may take on a busy machine

# The page makes its audio context at the first sound; this keeps hold of it.
_LISTEN_IN = """
    window.contexts = [];
    window.AudioContext = class extends AudioContext {
        constructor(...given) { super(...given); window.contexts.push(this); }
    };
"""

# The page makes its audio context at the first sound; from then on `peak(ms)` tells the loudest sample of that time.
METER = """() => {
    const connect = AudioNode.prototype.connect;
    AudioNode.prototype.connect = function (target, ...rest) {
        if (target === this.context.destination) {
            window.meter = this.context.createAnalyser();
            connect.call(this, window.meter);
        }
        return connect.call(this, target, ...rest);
    };
    window.peak = async (milliseconds) => {
        const samples = new Float32Array(2048);
        let most = 0;
        for (const until = performance.now() + milliseconds; performance.now() < until; ) {
            await new Promise((resolve) => setTimeout(resolve, 20));
            window.meter.getFloatTimeDomainData(samples);
            for (const sample of samples) most = Math.max(most, Math.abs(sample));
        }
        return most;
    };
}"""
SILENCE = 0.003  # the room sounds a second after what it throws back
FADING = 1500  # milliseconds


@dataclass
class StudioPage:
    """One visit: a page, where it is, and what it has complained of."""

    page: Page
    url: str
    is_touched: bool
    complaints: list[str] = field(default_factory=list)

    def hear(self, message: ConsoleMessage) -> None:
        """Keep what the browser complains of."""
        if message.type == "error":
            self.complaints.append(message.text)

    def watch(self, request: Request) -> None:
        """Complain if the page asks anyone but its own server."""
        if not request.url.startswith((self.url, "blob:", "data:")):
            self.complaints.append(f"asks {request.url}")

    def listen(self) -> None:
        """Hear what the browser complains of and whom the page asks."""
        self.page.on("console", self.hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self.watch)

    def tab(self) -> "StudioPage":
        """The studio in another tab of the same browser."""
        other = StudioPage(self.page.context.new_page(), self.url, self.is_touched, self.complaints)
        other.listen()
        other.open()
        return other

    def open(self) -> None:
        self.page.goto(self.url)
        self.page.wait_for_selector("html[data-ready]")

    def generate(self, **fields: str) -> dict[str, Any]:
        """Fill in fields by their labels, press Generate, wait until it is drawn; the server's answer."""
        for label, value in fields.items():
            self.page.get_by_label(label.replace("_", " "), exact=True).first.fill(value)
        return self.answer_to(self.page.get_by_role("button", name="Generate", exact=True).click)

    def answer_to(self, action: Callable[[], None]) -> dict[str, Any]:
        """What the server answers to what the page asks of a model because of this action."""
        with self.page.expect_response("**/api/generate") as response:
            action()
        answer = response.value.json()
        assert isinstance(answer, dict)
        assert response.value.ok, answer
        self.asked = json.loads(response.value.request.post_data or "")
        self.page.wait_for_selector("#generate:not([aria-busy])")
        return answer

    def asked_for(self) -> dict[str, Any]:
        """What the page asked the server for last."""
        asked: dict[str, Any] = self.asked
        return asked

    def primer(self) -> list[int]:
        """The events on the roll: what the page would ask the model to go on from."""
        events: list[int] = self.page.evaluate(
            """async () => {
                const { eventsOf } = await import("/static/melody.js");
                const { history } = await import("/static/main.js");
                return eventsOf(history.present.notes);
            }"""
        )
        return events

    def cell(self, step: int, pitch: int) -> tuple[float, float]:
        """The middle of a cell of the roll, on the screen, after scrolling there."""
        board = self.page.locator(".roll-board")
        x, y = board.evaluate(
            """(board, [step, pitch]) => {
                const [lowest, highest] = [48, 83];
                const scroller = board.parentElement;
                const box = board.querySelector("svg").getBoundingClientRect();
                const row = box.height / (highest - lowest + 1);
                const width = Number(board.dataset.stepWidth);
                const [x, y] = [(step + 0.5) * width, (highest - pitch + 0.5) * row];
                scroller.scrollTo({ left: x - 60, top: y - 150, behavior: "instant" });
                scroller.scrollIntoView({ block: "nearest", behavior: "instant" });
                const now = board.querySelector("svg").getBoundingClientRect();
                return [now.left + x, now.top + y];
            }""",
            [step, pitch],
        )
        return x, y

    def press_cell(self, step: int, pitch: int) -> None:
        """Click or tap a cell."""
        x, y = self.cell(step, pitch)
        if self.is_touched:
            self.page.touchscreen.tap(x, y)
        else:
            self.page.mouse.click(x, y)

    def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Drag the mouse from one cell (step, pitch) to another; both must be in view together."""
        self.page.mouse.move(*self.cell(*start))
        from_x, from_y = self.cell(*start)
        self.page.mouse.move(from_x, from_y)
        self.page.mouse.down()
        width, row = self.page.locator(".roll-board").evaluate(
            "board => [Number(board.dataset.stepWidth), board.querySelector('svg').clientHeight / 36]"
        )
        x, y = from_x + (end[0] - start[0]) * width, from_y - (end[1] - start[1]) * row
        self.page.mouse.move((from_x + x) / 2, (from_y + y) / 2)
        self.page.mouse.move(x, y)
        self.page.mouse.up()

    def message(self) -> str:
        return self.page.locator("#message-text").inner_text()

    def rolls(self) -> int:
        return self.page.locator("#cards .small-roll svg").count()

    def saved(self, name: str) -> Path:
        """The file that a button's press downloads."""
        return Path(self.download(name).path())

    def download(self, name: str) -> Download:
        """The download that a button's press begins."""
        with self.page.expect_download() as download:
            self.page.get_by_role("button", name=name, exact=True).click()
        return download.value


def run(studio: StudioPage, module: str, program: str) -> Any:
    """What a program of the page returns, in which `m` is one of the page's modules."""
    return studio.page.evaluate(f'async () => {{ const m = await import("/static/{module}.js"); {program} }}')


def loudest(studio: StudioPage, milliseconds: int = 900) -> float:
    peak: float = studio.page.evaluate("milliseconds => peak(milliseconds)", milliseconds)
    return peak


def visit(browser: Browser, url: str, width: int = WIDE, **options: Any) -> tuple[BrowserContext, StudioPage]:
    """A new visitor; the narrow screen is a touched one."""
    is_touched = width == NARROW
    context = browser.new_context(
        viewport={"width": width, "height": 844 if is_touched else 900},
        has_touch=is_touched,
        is_mobile=is_touched,
        **options,
    )
    context.set_default_timeout(SECONDS * 1000)
    context.set_default_navigation_timeout(3 * SECONDS * 1000)  # thirty files, maybe by a browser that just started
    context.add_init_script(_LISTEN_IN)
    studio = StudioPage(context.new_page(), url, is_touched)
    studio.listen()
    studio.open()
    return context, studio
