"""A comparison as a page: the tables, and pictures of what differs."""

from html import escape

import numpy as np

from ostinato.evaluation.comparison import Comparison
from ostinato.evaluation.comparison_report import Table, tables
from ostinato.evaluation.statistics import LENGTH_CLASSES
from ostinato.music.melody import NOTES_PER_OCTAVE, pitch_name
from ostinato.pages.layout import page
from ostinato.pages.plots import column_chart, heat_map

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
        command: the line for the shell that made it, if it shall be shown.
    """
    sets, figures, form, onsets, features, targets = tables(comparison)
    made, people = comparison.sets["generated"].melodies, comparison.sets["human"].melodies
    lead = f"{made:,} generated melodies beside {people:,} human ones that the model was not trained on."
    sections = [
        f'<header><h1>{_TITLE}</h1><p class="lead">{lead}</p></header>',
        *(_section(table) for table in (targets, sets, figures, form, onsets, features)),
        _pictures(comparison),
        _most_copied(comparison),
    ]
    if command:
        sections.append(f'<section><h2>Made by</h2><pre class="command">{escape(command)}</pre></section>')
    return page(_TITLE, "\n".join(sections), style=_STYLE)


def _section(table: Table) -> str:
    note = f'<p class="muted">{escape(table.note)}</p>' if table.note else ""
    head = "".join(_cell("th", text, column) for column, text in enumerate(table.header))
    rows = "".join(
        "<tr>" + "".join(_cell("td", text, column) for column, text in enumerate(row)) + "</tr>" for row in table.rows
    )
    return (
        f'<section><h2>{escape(table.title)}</h2>{note}<div class="scroll"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


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
