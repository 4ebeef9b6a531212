"""The page of melodies: their piano rolls with play buttons, and the command that made them."""

import base64
import functools
from collections.abc import Sequence
from html import escape
from importlib import resources

from ostinato.errors import SettingsError
from ostinato.formats.midi.writer import note_sequence_to_midi
from ostinato.music.melody import Melody, pitch_name
from ostinato.music.notes import text_roll
from ostinato.pages.layout import page
from ostinato.pages.piano_roll import player_html, player_script

_MIN_QPM, _MAX_QPM = 40, 240  # of the tempo slider, and of any tempo beyond that is given


def melodies_page(
    melodies: Sequence[Melody],
    *,
    title: str,
    command: str = "",
    qpm: float = 120.0,
    captions: Sequence[str] = (),
    note: str = "",
) -> str:
    """A whole HTML document that shows and plays melodies, each with its MIDI file to download.

    Args:
        melodies: what to show, from number 1 on.
        title: what they are, as the page's heading.
        command: the shell command that made them, shown with a button to copy it.
        qpm: tempo to begin with, in quarter notes a minute, above 0; that of the MIDI files too.
        captions: one for each melody; without any it is "Melody 1" and so on.
        note: a sentence below the heading.

    All texts are plain: what looks like HTML in them is shown as it is written.

    Raises:
        SettingsError: if there are captions, but not one for each melody, or the tempo can't be.
        DataError: if the tempo can't be said in MIDI.
    """
    if captions and len(captions) != len(melodies):
        raise SettingsError(f"give a caption for each of the {len(melodies)} melodies or none, not {len(captions)}")
    captions = captions or [f"Melody {number}" for number in range(1, len(melodies) + 1)]
    longest = max(map(len, melodies), default=0)
    figures = [
        _figure(number, melody, caption, qpm, longest)
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
        title, "\n".join(body), style=_resource("melodies.css"), script=player_script() + _resource("melodies.js")
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


def _figure(number: int, melody: Melody, caption: str, qpm: float, longest: int) -> str:
    midi = base64.b64encode(note_sequence_to_midi(melody.to_note_sequence(qpm))).decode()
    name = f"melody {number}"
    # A step is as wide in all melodies of the page.
    width = 100 * len(melody) / longest if longest else 100
    bars = "".join(
        f'<span style="left:{100 * step / len(melody):.2f}%">{step // melody.steps_per_bar + 1}</span>'
        for step in range(0, len(melody), melody.steps_per_bar)
    )
    player = player_html(melody, qpm=qpm, name=name, labels=False, row_height=8)
    return f"""<figure class="panel melody">
<figcaption><strong>{escape(caption)}</strong> <span>{_facts(melody)}</span></figcaption>
<div class="roll" style="--width:{width:.2f}%"><div class="bar-numbers" aria-hidden="true">{bars}</div>{player}</div>
<div class="more"><details><summary>Notes</summary><p><code>{escape(text_roll(melody))}</code></p></details>
<a href="data:audio/midi;base64,{midi}" download="melody_{number:02}.mid">Download MIDI<span> of {name}</span></a></div>
</figure>"""


def _facts(melody: Melody) -> str:
    """Length, meter, number of notes and range: "8 bars of 4/4 · 45 notes · G3-C5"."""
    bars, rest = divmod(len(melody), melody.steps_per_bar)
    lengths = [_counted(bars, "bar")] if bars or not rest else []
    if rest:
        lengths.append(_counted(rest, "step"))
    pitches = melody.pitches
    facts = [f"{' and '.join(lengths)} of {melody.meter}", _counted(len(pitches), "note")]
    if pitches:
        facts.append(f"{pitch_name(min(pitches))} to {pitch_name(max(pitches))}")
    return " · ".join(facts)


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


@functools.cache
def _resource(name: str) -> str:
    return resources.files("ostinato.pages").joinpath(name).read_text(encoding="utf-8")
