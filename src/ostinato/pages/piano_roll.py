"""Melodies as piano rolls: SVG to look at, with a play button for any page, and the whole page of some melodies.

`player.js` defines the HTML element <melody-player>. It plays with the
browser's own sound (Web Audio) and needs nothing from outside. Where scripts do
not run, the piano roll is there without its button.
"""

import base64
from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise

from ostinato.dataset.report import counted
from ostinato.errors import SettingsError
from ostinato.formats.midi.writer import note_sequence_to_midi
from ostinato.music.chords import Accompaniment, accompany
from ostinato.music.melody import NOTES_PER_OCTAVE, Melody, pitch_name
from ostinato.music.notes import note_spans, text_roll
from ostinato.pages.layout import page, resource

_PAPER, _KEYS, _BEATS, _BARS, _NOTES, _TEXT = "#fbfaf7", "#f1eee7", "#eae6dc", "#c9c3b6", "#2a6f97", "#7a746a"
_STEP_WIDTH = 6  # pixels of a 16th note in a picture of no given width
_LABELS_LEFT, _LABELS_TOP = 28, 14  # pixels that the labels of one roll take
_CHORDS_TOP = 14  # pixels that the names of chords take above the numbers of the bars
_IN_NOTEBOOK = 20  # melodies: each takes some ten kilobytes of the notebook's file
_GUTTER, _GAP = 36, 10  # pixels beside and between several rolls


def piano_roll_svg(
    melody: Melody, *, width: int | None = None, row_height: int = 6, title: str = "", labels: bool = True
) -> str:
    """The melody as a piano roll: time to the right, pitch upwards, lines at the beats and the bars.

    Args:
        melody: what to draw.
        width: of the picture, in pixels; by default wide enough to see a quarter note easily, 240 to 1,200.
        row_height: of a semitone, in pixels.
        title: what a screen reader says; by default the notes themselves.
        labels: number the bars and name the Cs, and the chords if the melody has some. Without labels, whatever shows
            the picture can stretch it.

    Returns:
        A whole <svg> element that needs nothing from outside. Its parts have classes (`keys`, `beats`, `bars`,
        `notes`), so that a page can give them its own colors.
    """
    spans = note_spans(melody)
    width = min(max(len(melody) * _STEP_WIDTH, 240), 1200) if width is None else width
    rows = _rows(spans)
    height = len(rows) * row_height
    left, top = (_LABELS_LEFT, _LABELS_TOP + _CHORDS_TOP * bool(melody.chords)) if labels else (0, 0)
    roll = _roll(melody, spans, rows, width - left, row_height)
    return "".join(
        [
            _svg_tag(width, height + top, title or text_roll(melody), left, top, stretch=not labels),
            _labels(melody, rows, width - left, row_height) if labels else "",
            f'<rect class="paper" width="{width - left}" height="{height}" fill="{_PAPER}"/>',
            f"{roll}</svg>",
        ]
    )


def piano_rolls_svg(
    melodies: Sequence[Melody], *, width: int = 720, row_height: int = 4, title: str = "Piano rolls"
) -> str:
    """Several melodies in one picture, one below the other, each with its number; a step is equally wide in all.

    Args:
        melodies: what to draw, from number 1 on.
        width: of the picture, in pixels.
        row_height: of a semitone, in pixels.
        title: what a screen reader says.

    Returns:
        A whole <svg> element that needs nothing from outside.
    """
    steps = max((len(melody) for melody in melodies), default=1)
    step_width = (width - _GUTTER) / max(steps, 1)
    parts, top = [], _GAP
    for number, melody in enumerate(melodies, start=1):
        spans = note_spans(melody)
        rows = _rows(spans)
        height = len(rows) * row_height
        roll_width = len(melody) * step_width
        parts.append(
            f'<g transform="translate(0 {top})"><text x="{_GUTTER - 10}" y="{height / 2:g}" text-anchor="end" '
            f'dominant-baseline="central" font-family="sans-serif" font-size="13" fill="{_TEXT}">{number}</text>'
            f'<svg x="{_GUTTER}" width="{_short(roll_width)}" height="{height}">'
            f'<rect width="{_short(roll_width)}" height="{height}" fill="{_PAPER}"/>'
            f"{_roll(melody, spans, rows, roll_width, row_height)}</svg></g>"
        )
        top += height + _GAP
    return (
        f'{_svg_tag(width, top, title)}<rect width="{width}" height="{top}" fill="#fff"/>' + "".join(parts) + "</svg>"
    )


def player_script() -> str:
    """The JavaScript behind <melody-player>; running it twice does no harm."""
    return resource("player.js")


def player_html(
    melody: Melody,
    *,
    qpm: float = 120.0,
    name: str = "the melody",
    labels: bool = True,
    row_height: int = 6,
    accompaniment: Accompaniment | None = None,
) -> str:
    """The melody as a <melody-player>: a play button and the piano roll.

    Args:
        melody: what to show and play.
        qpm: quarter notes a minute, above 0.
        name: what the button's label calls it.
        labels: see `piano_roll_svg`.
        row_height: of a semitone, in pixels.
        accompaniment: how the melody's chords are played below it; None for not at all.
    """
    below = ""
    if accompaniment is not None and (notes := accompany(melody.chords, len(melody), melody.meter, accompaniment)):
        below = f' accompaniment="{" ".join(f"{pitch}:{start}:{end}" for pitch, start, end in notes)}"'
    roll = piano_roll_svg(melody, title=f"Piano roll of {name}", labels=labels, row_height=row_height)
    return (
        f'<melody-player events="{" ".join(map(str, melody))}" qpm="{qpm:g}"{below} '
        'style="display:flex;align-items:center;gap:.75em">'
        f'<button type="button" class="play" aria-label="Play {escape(name)}" hidden="">▶</button>{roll}'
        "</melody-player>"
    )


def notebook_html(melodies: Sequence[Melody]) -> str:
    """Melodies as a notebook shows them: everything in one piece, the script included.

    Several are numbered as Python counts them, from 0 on; of more than 20 the first 20 are shown, and how many there
    are.
    """
    if len(melodies) == 1:
        players = [player_html(melodies[0])]
    else:
        players = [
            f"<figure><figcaption>{number}</figcaption>{player_html(melody, name=f'melody {number}')}</figure>"
            for number, melody in enumerate(melodies[:_IN_NOTEBOOK])
        ]
    if len(melodies) > _IN_NOTEBOOK:
        players.append(f"<p>and {len(melodies) - _IN_NOTEBOOK:,} more</p>")
    return f"<div>{''.join(players)}<script>{player_script()}</script></div>"


def _rows(spans: Sequence[tuple[int, int, int]]) -> range:
    """The pitches to draw, highest first: those of the notes, some air around them, an octave at least."""
    lowest = min((pitch for pitch, _, _ in spans), default=60) - 2
    highest = max((pitch for pitch, _, _ in spans), default=71) + 2
    missing = max(12 - (highest - lowest), 0)
    return range(highest + missing // 2, lowest - (missing + 1) // 2 - 1, -1)


def _labels(melody: Melody, rows: range, width: float, row_height: int) -> str:
    """The chords and the numbers of the bars above a piano roll, and the names of the Cs beside it."""
    step_width = width / max(len(melody), 1)
    texts = [f'<text x="{_short(step * step_width + 2)}" y="-4">{bar}</text>' for bar, step in _bars(melody)]
    texts += [
        f'<text class="chord" x="{_short(step * step_width + 2)}" y="{-4 - _CHORDS_TOP}" font-weight="bold">'
        f"{escape(name)}</text>"
        for step, name in melody.chords
    ]
    texts += [
        f'<text x="-4" y="{(row + 0.5) * row_height:g}" text-anchor="end" dominant-baseline="central">'
        f"{pitch_name(pitch)}</text>"
        for row, pitch in enumerate(rows)
        if pitch % NOTES_PER_OCTAVE == 0
    ]
    return f'<g class="labels" font-family="sans-serif" font-size="10" fill="{_TEXT}">{"".join(texts)}</g>'


def _bars(melody: Melody) -> Iterator[tuple[int, int]]:
    """The number of each bar and its first step; an upbeat is bar 0."""
    return enumerate(range(0, len(melody), melody.steps_per_bar), start=0 if melody.has_upbeat else 1)


def _roll(melody: Melody, spans: Sequence[tuple[int, int, int]], rows: range, width: float, row_height: int) -> str:
    """The inside of a piano roll, its top left corner at 0, 0."""
    height = len(rows) * row_height
    step_width, steps_per_beat = width / max(len(melody), 1), melody.meter.steps_per_beat
    top = {pitch: row * row_height for row, pitch in enumerate(rows)}
    bars = range(0, len(melody) + 1, melody.steps_per_bar)
    beats = [
        bar + beat
        for bar in bars
        for beat in range(steps_per_beat, melody.steps_per_bar, steps_per_beat)
        if bar + beat < len(melody)
    ]
    black_keys = "".join(
        f"M0 {top[pitch]}h{_short(width)}v{row_height}H0z" for pitch in rows if "#" in pitch_name(pitch)
    )
    parts = [
        f'<path class="keys" d="{black_keys}" fill="{_KEYS}"/>',
        *(
            f'<path class="{name}" d="{"".join(f"M{_short(step * step_width)} 0v{height}" for step in steps)}" '
            f'stroke="{color}" vector-effect="non-scaling-stroke"/>'
            for name, steps, color in (("beats", beats, _BEATS), ("bars", bars, _BARS))
            if steps
        ),
    ]
    parts.append(f'<g class="notes" fill="{_NOTES}">')
    parts += [
        f'<rect x="{_short(start * step_width)}" y="{top[pitch]}" '
        f'width="{_short(max((end - start) * step_width - 1, 1))}" height="{row_height}" rx="1.5">'
        f"<title>{pitch_name(pitch)}</title></rect>"
        for pitch, start, end in spans
    ]
    return "".join(parts) + "</g>"


def _svg_tag(width: int, height: int, title: str, left: int = 0, top: int = 0, *, stretch: bool = False) -> str:
    """The opening tag of a picture whose origin lies `left` and `top` pixels inside its corner."""
    aspect = ' preserveAspectRatio="none"' if stretch else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{-left} {-top} {width} {height}" '
        f'width="{width}" height="{height}"{aspect} '
        f'role="img" aria-label="{escape(title)}">'
    )


def _short(number: float) -> str:
    """A length in as few characters as a hundredth of a pixel needs."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


_MIN_QPM, _MAX_QPM = 40, 240  # of the tempo slider, and of any tempo beyond that is given


def melodies_page(
    melodies: Sequence[Melody],
    *,
    title: str,
    command: str = "",
    qpm: float = 120.0,
    captions: Sequence[str] = (),
    note: str = "",
    accompaniment: Accompaniment | None = None,
) -> str:
    """A whole HTML document that shows and plays melodies, each with its MIDI file to download.

    Args:
        melodies: what to show, from number 1 on.
        title: what they are, as the page's heading.
        command: the shell command that made them, shown with a button to copy it.
        qpm: tempo to start with, in quarter notes a minute, above 0; also that of the MIDI files.
        captions: one for each melody; without any, they are "Melody 1" and so on.
        note: a sentence below the heading.
        accompaniment: how chords are played below the melodies that have some, on the page and in the MIDI files.

    All texts are plain: anything in them that looks like HTML is shown as it is written.

    Raises:
        SettingsError: if there are captions, but not one for each melody, or the tempo can't be.
        DataError: if the tempo can't be said in MIDI.
    """
    if captions and len(captions) != len(melodies):
        raise SettingsError(f"give a caption for each of the {len(melodies)} melodies or none, not {len(captions)}")
    captions = captions or [f"Melody {number}" for number in range(1, len(melodies) + 1)]
    longest = max(map(len, melodies), default=0)
    figures = [
        _figure(number, melody, caption, qpm, longest, accompaniment)
        for number, (melody, caption) in enumerate(zip(melodies, captions, strict=True), start=1)
    ]
    body = [f"<header><h1>{escape(title)}</h1>"]
    if note:
        body.append(f'<p class="lead">{escape(note)}</p>')
    body.append("</header>")
    if command:
        body.append(
            f'<div class="panel command"><pre id="command">{_shell_words(command)}</pre>'
            '<button type="button" id="copy" hidden>Copy</button></div>'
        )
    body.append(_toolbar(qpm) if melodies else "<p>There are no melodies.</p>")
    body += figures
    return page(
        title, "\n".join(body), style=resource("melodies.css"), script=player_script() + resource("melodies.js")
    )


def _shell_words(command: str) -> str:
    """A command that a browser breaks at its spaces only, not at the dashes of a flag."""
    return " ".join(f"<span>{escape(word)}</span>" for word in command.split(" "))


def _toolbar(qpm: float) -> str:
    return (
        '<div class="toolbar" id="toolbar" hidden>'
        '<button type="button" class="primary" id="play-all">▶ Play all</button>'
        '<label class="tempo">Tempo <input type="range" id="tempo" step="1" '
        f'min="{min(_MIN_QPM, int(qpm))}" max="{max(_MAX_QPM, round(qpm))}" value="{qpm:.0f}" '
        'aria-describedby="tempo-unit">'
        f'<output id="qpm" for="tempo">{qpm:.0f}</output> '
        '<abbr id="tempo-unit" title="quarter notes a minute">qpm</abbr></label>'
        "</div>"
    )


def _figure(
    number: int, melody: Melody, caption: str, qpm: float, longest: int, accompaniment: Accompaniment | None
) -> str:
    accompaniment = accompaniment if melody.chords else None
    sequence = melody.to_note_sequence(qpm, accompaniment=accompaniment)
    midi = base64.b64encode(note_sequence_to_midi(sequence)).decode()
    name = f"melody {number}"
    # A step is as wide in all melodies of the page.
    width = 100 * len(melody) / longest if longest else 100
    bars = "".join(f'<span style="left:{100 * step / len(melody):.2f}%">{bar}</span>' for bar, step in _bars(melody))
    names = "".join(
        f'<span style="left:{100 * step / len(melody):.2f}%;width:{100 * (end - step) / len(melody):.2f}%">'
        f"{escape(chord)}</span>"
        for (step, chord), (end, _) in pairwise((*melody.chords, (len(melody), "")))
    )
    above = f'<div class="chord-names">{names}</div>' if names else ""
    above += f'<div class="bar-numbers" aria-hidden="true">{bars}</div>'
    player = player_html(melody, qpm=qpm, name=name, labels=False, row_height=8, accompaniment=accompaniment)
    return f"""<figure class="panel melody">
<figcaption><strong>{escape(caption)}</strong> <span>{_facts(melody)}</span></figcaption>
<div class="roll" style="--width:{width:.2f}%">{above}{player}</div>
<div class="more"><details><summary>Notes</summary><p><code>{escape(text_roll(melody))}</code></p></details>
<a href="data:audio/midi;base64,{midi}" download="melody_{number:02}.mid">Download MIDI<span> of {name}</span></a></div>
</figure>"""


def _facts(melody: Melody) -> str:
    """Length, meter, number of notes and range: "8 bars of 4/4 · 45 notes · G3-C5"."""
    bars, rest = divmod(len(melody), melody.steps_per_bar)
    bars -= melody.has_upbeat
    lengths = [counted(bars, "bar")] if bars or not rest else []
    if rest:
        lengths.append(counted(rest, "step"))
    pitches = melody.pitches
    upbeat = " after an upbeat" if melody.has_upbeat else ""
    facts = [f"{' and '.join(lengths)} of {melody.meter}{upbeat}", counted(len(pitches), "note")]
    if pitches:
        facts.append(f"{pitch_name(min(pitches))} to {pitch_name(max(pitches))}")
    return " · ".join(facts)
