"""A comparison and an evaluation as pages: their tables, and pictures of what differs."""

import math
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from ostinato.evaluation.comparison import Comparison
from ostinato.evaluation.comparison_report import Table, tables
from ostinato.evaluation.report import NUM_BARS, Report, summary, table_rows
from ostinato.evaluation.statistics import LENGTH_CLASSES
from ostinato.music.melody import NOTES_PER_OCTAVE, pitch_name
from ostinato.pages.layout import page
from ostinato.pages.plots import Bar, Line, bar_chart, column_chart, heat_map, line_chart

_TITLE = "How generated melodies compare with human ones"
_PITCH_CLASSES = tuple(pitch_name(pitch)[:-1] for pitch in range(60, 60 + NOTES_PER_OCTAVE))
_LENGTHS = (*[str(steps) for steps in range(1, LENGTH_CLASSES)], f"{LENGTH_CLASSES}+")
_MOST_COPIED = 10

_STYLE = """
figure { margin-bottom: 1.5rem; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); gap: 1.5rem; }
.pair svg { width: 100%; margin-top: .5rem; font: 8px system-ui, sans-serif; fill: currentColor; }
.pair rect { fill: var(--accent); }
td.met { color: var(--good); font-weight: 600; }
td.missed { color: var(--bad); font-weight: 600; }
"""


def comparison_page(comparison: Comparison, command: str = "") -> str:
    """The page of a comparison.

    Args:
        comparison: what to show.
        command: the shell command that made it, to show on the page; "" shows none.
    """
    sets, figures, form, onsets, features, targets = tables(comparison)
    made, people = comparison.sets["generated"].melodies, comparison.sets["human"].melodies
    lead = f"{made:,} generated melodies compared with {people:,} human ones that the model was not trained on."
    sections = [
        f'<header><h1>{_TITLE}</h1><p class="lead">{lead}</p></header>',
        *(_section(table) for table in (targets, sets, figures, form, onsets, features)),
        _pictures(comparison),
        _most_copied(comparison),
        _made_by(command),
    ]
    return page(_TITLE, "\n".join(filter(None, sections)), style=_STYLE)


def _section(table: Table) -> str:
    note = f'<p class="muted">{escape(table.note)}</p>' if table.note else ""
    return f"<section><h2>{escape(table.title)}</h2>{note}{_table(table.header, table.rows)}</section>"


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(_cell("th", text, column) for column, text in enumerate(heading))
    body = "".join(
        "<tr>" + "".join(_cell("td", text, column) for column, text in enumerate(row)) + "</tr>" for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _made_by(command: str) -> str:
    return command and f'<section><h2>Made by</h2><pre class="command">{escape(command)}</pre></section>'


def _cell(tag: str, text: str, column: int) -> str:
    kinds = ["number"] if column else []
    kinds += {"met": ["met"], "not met": ["missed"]}.get(text, [])
    return f'<{tag} class="{" ".join(kinds)}">{escape(text)}</{tag}>' if kinds else f"<{tag}>{escape(text)}</{tag}>"


def _pictures(comparison: Comparison) -> str:
    features = {feature.name: feature for feature in comparison.features}
    parts = []
    for name, x_label, labels in (
        ("pitch-class histogram", "pitch class", _PITCH_CLASSES),
        ("note-length histogram", "steps", _LENGTHS),
    ):
        series = [
            ("generated", features[name].generated_mean.tolist()),
            ("human", features[name].human_mean.tolist()),
        ]
        parts.append(column_chart(name.capitalize(), labels, series, x_label=x_label, y_label="mean share"))
    parts += [
        column_chart(
            f"Where in the bar notes start in {onsets.meter}, with 95 % intervals of the human shares",
            [str(step) for step in range(1, onsets.meter.steps_per_bar + 1)],
            [("generated", onsets.generated.tolist()), ("human", onsets.human.tolist())],
            x_label="16th of the bar",
            y_label="share of onsets",
            intervals={"human": list(zip(onsets.low.tolist(), onsets.high.tolist(), strict=True))},
        )
        for onsets in comparison.onsets
    ]
    runs = {"generated": [run for _, run in comparison.generated_runs], "human": list(comparison.human_runs)}
    top = max(max(longest) for longest in runs.values()) + 1
    counted = [
        (label, (np.bincount(longest, minlength=top) / len(longest)).tolist()) for label, longest in runs.items()
    ]
    parts.append(
        column_chart(
            "Longest copied run of each melody",
            [str(run) for run in range(top)],
            counted,
            x_label="pairs",
            y_label="share of melodies",
        )
    )
    for name, labels in (("pitch-class transitions", _PITCH_CLASSES), ("note-length transitions", _LENGTHS)):
        found = features[name]
        most = max(found.generated_mean.max(), found.human_mean.max())
        maps = [
            heat_map(f"{name.capitalize()}, {label}", mean.reshape(len(labels), len(labels)), labels, most=most)
            for label, mean in (("generated", found.generated_mean), ("human", found.human_mean))
        ]
        parts.append(f'<div class="pair">{"".join(maps)}</div>')
    return f"<section><h2>Pictures</h2>{''.join(parts)}</section>"


def _most_copied(comparison: Comparison) -> str:
    rows = tuple((name, str(run)) for name, run in comparison.generated_runs[:_MOST_COPIED])
    return _section(
        Table(
            "Generated melodies with the longest copied runs",
            "A run of k pairs is k notes, and the interval from the note before them.",
            ("", "pairs"),
            rows,
        )
    )


_MOST_LINES = 8  # as many colors as can be told apart
_BIN = 0.25  # bits
_MOST_BINS = 24

_TERMS = """<section><h2>How to read this</h2>
<p><b>Bits/step</b>: how many bits a model needs on average to predict the event at a 16th step (the start of a note,
the end of a note, or no event), from the second step of each melody on. Lower is better; one bit less halves what is
left to guess. <b>Perplexity</b> says the same as a number of equally probable events. <b>Accuracy</b> is the share of
steps whose event the model thought most probable: over all steps, over those where something happens, and over those
where nothing does. <b>Class loss</b> is what training shows, in nats over the model's own classes; you cannot use it to
compare models with different classes. An <b>interval</b> shows where a figure would be with other melodies like
these.</p>
</section>"""


def report_page(report: Report, command: str = "") -> str:
    """The page of an evaluation.

    Args:
        report: the evaluation.
        command: the shell command that made it, to show on the page; "" shows none.
    """
    title = "How well models predict melodies"
    lead, *notes = summary(report)
    heading, *rows = table_rows(report)
    sections = [
        f'<header><h1>{title}</h1><p class="lead">{escape(lead)}</p></header>',
        *(f'<p class="muted">{escape(note)}</p>' for note in notes),
        _table(heading, rows),
        "<section><h2>Bits per 16th step</h2>" + _bits(report) + "</section>",
    ]
    if orders := _orders(report):
        sections.append(f"<section><h2>What counting alone can do</h2>{orders}</section>")
    sections += [
        f"<section><h2>Along the melodies</h2>{_along(report)}</section>",
        f"<section><h2>From melody to melody</h2>{_spread(report)}</section>",
        _TERMS,
        _made_by(command),
    ]
    return page(title, "\n".join(filter(None, sections)))


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
        "Witten-Bell n-gram models, by how many preceding events they look at",
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
