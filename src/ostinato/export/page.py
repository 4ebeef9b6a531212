"""A model as one HTML file that composes: nothing is loaded from anywhere, so it works from a disk, offline."""

import base64
import gzip
from html import escape
from string import Template

from ostinato.bundle import Bundle
from ostinato.export.javascript import model_card, page_scripts, static, weights, worker_script
from ostinato.pages.layout import page, resource


def page_html(bundle: Bundle, bits: int = 8) -> str:
    """The page, to be written as UTF-8.

    Args:
        bundle: the model.
        bits: 8 or 16, of each number of the weights.

    Raises:
        SettingsError: if there are no such bits, or half precision does not hold a weight.
    """
    card = model_card(bundle)
    body = Template(static("page.html")).substitute(
        about=escape(card.partition("\n")[0].removeprefix("# ")),
        card=escape(card),
        license=escape(static("LICENSE")),
        # No end of a script can stand in either: base64 has no "<", and the scripts are ours.
        weights=base64.b64encode(gzip.compress(weights(bundle, bits), mtime=0)).decode(),
        worker=worker_script(),
    )
    script = f"{resource('player.js')}\n{{\n{page_scripts('music', 'midi', 'remote', 'page')}}}\n"
    style = resource("melodies.css") + static("page.css")
    return page("A small composer", body, style=style, script=script, policy="worker-src blob:")
