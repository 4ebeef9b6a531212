import re
from html.parser import HTMLParser

import numpy as np

from ostinato.dataset.melodies import Melodies, SourceMelody
from ostinato.evaluation.comparison import compare
from ostinato.evaluation.likelihood import EventScores, PredictedSteps
from ostinato.evaluation.report import Contender, Report, make_report
from ostinato.music.extract import ExtractionSettings
from ostinato.music.melody import Melody
from ostinato.pages.reports import comparison_page, report_page

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


def checked(page: str) -> list[str]:
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    return checker.seen


def test_page() -> None:
    name = "<b>a & b.mid"
    made = [(name, Melody([60, 62, 64, 62] * 2, steps_per_bar=4)), ("b.mid", Melody([60, 60, 60, 60] * 2))]
    human = [(f"{start}.mid", Melody(range(start, start + 12), steps_per_bar=4)) for start in range(60, 64)]
    written = comparison_page(compare(made, human, [("t.mid", Melody([60, 62, 64]))]), "ostinato compare --html='<p>'")
    seen = checked(written)
    assert seen.count("table") == 7
    assert seen.count("svg") == 7
    assert "&lt;b&gt;a &amp; b.mid" in written
    assert name not in written
    assert "ostinato compare --html=&#x27;&lt;p&gt;&#x27;" in written
    assert '<td class="number missed">not met</td>' in written
    assert "http" not in written.replace("http-equiv", "")


MELODIES = [SourceMelody(Melody([60, -2] * 16), f"{number}.mid", "", 0, "", 120.0) for number in range(3)]
STEPS = PredictedSteps.of([found.melody for found in MELODIES])


def contender(name: str, bits: float, order: int | None = None) -> Contender:
    kind = "model" if order is None else "n-gram"
    return Contender(name, kind, EventScores(np.full(93, bits), np.ones(93, np.bool_)), order=order)


def report(*contenders: Contender, source: str = "tunes") -> Report:
    return make_report(Melodies(source, ExtractionSettings(), 3, melodies=MELODIES), STEPS, contenders, num_resamples=5)


def test_four_plots_where_there_are_n_gram_models() -> None:
    ngrams = [contender(f"n-gram, order {order}", 2 + abs(order - 2) / 4, order) for order in range(4)]
    page = report_page(report(contender("mine", 1.5), *ngrams), "ostinato evaluate --input=tunes")
    assert checked(page).count("figure") == 4
    assert "ostinato evaluate --input=tunes" in page
    # Of the n-gram models the best one stands in the plots of several.
    along, spread = page.split("Along the melodies")[1].split("From melody to melody")
    assert "n-gram, order 2" in along
    assert "n-gram, order 3" not in along + spread
    assert re.findall(r"<title>mine, 1\.5: (\d+)</title>", spread) == ["3"]


def test_three_plots_where_there_are_none() -> None:
    page = report_page(report(contender("mine", 1.5)))
    assert checked(page).count("figure") == 3
    assert "Made by" not in page


def test_n_gram_models_alone() -> None:
    page = report_page(report(contender("n-gram, order 0", 2, 0)))
    assert checked(page).count("figure") == 4


def test_a_melody_of_very_many_bits_does_not_make_very_many_columns() -> None:
    page = report_page(report(contender("hopeless", 1000.0)))
    assert 20 < checked(page).count("rect") < 60


def test_names_are_text() -> None:
    hostile = "<script>alert(1)</script>"
    page = report_page(report(contender(hostile, 1), contender("b", 2), source=hostile), hostile)
    assert "script" not in checked(page)
    assert hostile not in page


def test_nothing_is_fetched() -> None:
    page = report_page(report(contender("mine", 1.5)))
    assert not re.search(r"(src|href)=\"(?!data:)", page)
