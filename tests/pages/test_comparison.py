from html.parser import HTMLParser

from ostinato.evaluation.comparison import compare
from ostinato.music.melody import Melody
from ostinato.pages.comparison import comparison_page

VOID = {"meta", "link", "br", "rect", "path", "line"}


class Checker(HTMLParser):
    """Every element that is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def test_page() -> None:
    name = "<b>a & b.mid"
    made = [(name, Melody([60, 62, 64, 62] * 2, steps_per_bar=4)), ("b.mid", Melody([60, 60, 60, 60] * 2))]
    human = [(f"{start}.mid", Melody(range(start, start + 12), steps_per_bar=4)) for start in range(60, 64)]
    written = comparison_page(compare(made, human, [("t.mid", Melody([60, 62, 64]))]), "ostinato compare --html='<p>'")
    checker = Checker()
    checker.feed(written)
    assert checker.open == []
    assert checker.seen.count("table") == 7
    assert checker.seen.count("svg") == 7
    assert "&lt;b&gt;a &amp; b.mid" in written
    assert name not in written
    assert "ostinato compare --html=&#x27;&lt;p&gt;&#x27;" in written
    assert '<td class="number missed">not met</td>' in written
    assert "http" not in written.replace("http-equiv", "")
