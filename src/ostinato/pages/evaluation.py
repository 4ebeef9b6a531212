"""An evaluation as a page: the table and four plots."""

import math
from html import escape

import numpy as np

from ostinato.evaluation.report import NUM_BARS, Report, summary, table_rows
from ostinato.pages.layout import page
from ostinato.pages.plots import Bar, Line, bar_chart, column_chart, line_chart

_MOST_LINES = 8  # as many colors as can be told apart
_BIN = 0.25  # bits
_MOST_BINS = 24

_TERMS = """<section><h2>How to read this</h2>
<p><b>Bits/step</b>: how many bits a model needs on average to tell which event stands at a 16th step (a note's start,
a note's end, or no event), from the second step of each melody on. Lower is better; one bit less halves what is left
to guess. <b>Perplexity</b> says the same as a number of equally probable events. <b>Accuracy</b> is the share of steps
whose event the model held the most probable, over all steps, over those where something happens, and over those where
nothing does. <b>Class loss</b> is what training shows, in nats over the model's own classes; models with different
classes do not compare by it. An <b>interval</b> tells where a figure would lie with other melodies of this kind.</p>
</section>"""


def report_page(report: Report, command: str = "") -> str:
    """The page of an evaluation.

    Args:
        report: the evaluation.
        command: the line for the shell that made it, if it shall be shown.
    """
    title = "How well models predict melodies"
    lead, *notes = summary(report)
    sections = [
        f'<header><h1>{title}</h1><p class="lead">{escape(lead)}</p></header>',
        *(f'<p class="muted">{escape(note)}</p>' for note in notes),
        _table(report),
        "<section><h2>Bits per 16th step</h2>" + _bits(report) + "</section>",
    ]
    if orders := _orders(report):
        sections.append(f"<section><h2>What counting alone can do</h2>{orders}</section>")
    sections += [
        f"<section><h2>Along the melodies</h2>{_along(report)}</section>",
        f"<section><h2>From melody to melody</h2>{_spread(report)}</section>",
        _TERMS,
    ]
    if command:
        sections.append(f'<section><h2>Made by</h2><pre class="command">{escape(command)}</pre></section>')
    return page(title, "\n".join(sections))


def _table(report: Report) -> str:
    heading, *rows = table_rows(report)

    def cells(tag: str, row: list[str]) -> str:
        first, *figures = (escape(cell) for cell in row)
        return f"<{tag}>{first}</{tag}>" + "".join(f'<{tag} class="number">{cell}</{tag}>' for cell in figures)

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{cells("th", heading)}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _bits(report: Report) -> str:
    bars = [
        Bar(contender.name, figures.bits, figures.interval.low, figures.interval.high)
        for contender, figures in zip(report.contenders, report.figures, strict=True)
    ]
    return bar_chart(f"Bits per step with {len(report.sources.melodies):,} melodies resampled; lower is better", bars)


def _orders(report: Report) -> str:
    orders = [
        (float(contender.order), figures.bits)
        for contender, figures in zip(report.contenders, report.figures, strict=True)
        if contender.order is not None
    ]
    lines = [Line("n-gram models", orders)]
    if not orders:
        return ""
    best = report.contenders[report.best]
    if best.kind != "n-gram":
        bits = report.figures[report.best].bits
        lines.append(Line(best.name, [(order, bits) for order, _ in orders]))
    return line_chart(
        "Witten-Bell n-gram models by the number of preceding events that they look at",
        lines,
        x_label="preceding events",
        y_label="bits per step",
    )


def _shown(report: Report) -> list[int]:
    """Places of the contenders that plots of several show: the best n-gram model stands for all of them."""
    ngrams = [place for place, contender in enumerate(report.contenders) if contender.kind == "n-gram"]
    others = [place for place, contender in enumerate(report.contenders) if contender.kind != "n-gram"]
    best_ngram = sorted(ngrams, key=lambda place: report.figures[place].bits)[:1]
    return others[: _MOST_LINES - len(best_ngram)] + best_ngram


def _along(report: Report) -> str:
    lines = [
        Line(report.contenders[place].name, [(bar, bits) for bar, bits in enumerate(report.bar_bits(place), 1)])
        for place in _shown(report)
    ]
    return line_chart(
        f"Mean bits per step in each of the first {NUM_BARS} bars", lines, x_label="bar", y_label="bits per step"
    )


def _spread(report: Report) -> str:
    shown = sorted(_shown(report), key=lambda place: report.figures[place].bits)[:2]
    values = [report.melody_bits(place) for place in shown]
    values = [bits[np.isfinite(bits)] for bits in values]
    highest = max(float(bits.max()) for bits in values)
    width = _BIN * max(1, math.ceil(highest / (_BIN * _MOST_BINS)))
    edges = width * np.arange(int(highest // width) + 2)
    series = [
        (report.contenders[place].name, np.histogram(bits, edges)[0].tolist())
        for place, bits in zip(shown, values, strict=True)
    ]
    categories = [f"{low:g}" for low in edges[:-1]]
    return column_chart(
        "How many melodies need how many bits per step",
        categories,
        series,
        x_label=f"bits per step, from this number to {width:g} more",
        y_label="melodies",
    )
