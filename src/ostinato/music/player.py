"""A melody with a play button, for any page that holds the player's script.

`player.js` defines the HTML element <melody-player>. It plays with the
browser's own sound (Web Audio) and needs nothing from outside. Where scripts do
not run, the piano roll is there without its button.
"""

import functools
from html import escape
from importlib import resources

from ostinato.music.melody import Melody
from ostinato.music.render import piano_roll_svg


@functools.cache
def player_script() -> str:
    """The JavaScript behind <melody-player>; running it twice does no harm."""
    return resources.files("ostinato.music").joinpath("player.js").read_text(encoding="utf-8")


def player_html(
    melody: Melody, *, qpm: float = 120.0, name: str = "the melody", labels: bool = True, row_height: int = 6
) -> str:
    """The melody as a <melody-player>: a play button and the piano roll.

    Args:
        melody: what to show and play.
        qpm: quarter notes a minute, above 0.
        name: what the button's label calls it.
        labels: see `ostinato.music.render.piano_roll_svg`.
        row_height: of a semitone, in pixels.
    """
    roll = piano_roll_svg(melody, title=f"Piano roll of {name}", labels=labels, row_height=row_height)
    return (
        f'<melody-player events="{" ".join(map(str, melody))}" qpm="{qpm:g}" '
        'style="display:flex;align-items:center;gap:.75em">'
        f'<button type="button" class="play" aria-label="Play {escape(name)}" hidden="">▶</button>{roll}'
        "</melody-player>"
    )


def notebook_html(melody: Melody) -> str:
    """The melody as a notebook shows it: everything in one piece, the script included."""
    return f"<div>{player_html(melody)}<script>{player_script()}</script></div>"
