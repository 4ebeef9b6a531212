"""`ostinato studio`: a local page to play with the models."""

import argparse
import contextlib
import importlib.util
import logging
import os
import sys
import threading
import webbrowser

from ostinato.cli.flags import USUAL, add_boolean, add_model, model_paths
from ostinato.errors import MissingExtraError, SettingsError
from ostinato.studio import DEFAULT_PORT

_MAX_PORT = 65535

_logger = logging.getLogger(__name__)


EXAMPLE = "ostinato studio --bundle_file=tests/golden/gold_attention.mag"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    usual = parser.add_argument_group(USUAL)
    add_model(usual, several=True)
    add_boolean(
        usual,
        "--open",
        default=None,
        help="open the page in a browser, as is usual where there is a desktop; or --no_open",
    )
    server = parser.add_argument_group("where it serves the page")
    server.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="with 0.0.0.0 other machines reach it too, and anyone on them may use it",
    )
    server.add_argument(
        "--port",
        type=int,
        default=DEFAULT_PORT,
        metavar="N",
        help=f"0 for any free one; if {DEFAULT_PORT} is taken, the next free one is used",
    )
    server.add_argument(
        "--allow_host",
        default="",
        metavar="NAME,NAME",
        help="other names of the studio: through ssh -L, behind a proxy, or a name of your own; at any port",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    if any(importlib.util.find_spec(name) is None for name in ("msgspec", "starlette", "uvicorn")):
        raise MissingExtraError("the studio", "studio")
    # Products of this size gain nothing from a second thread, which would wait for them by spinning.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

    from ostinato.studio.models import Models
    from ostinato.studio.security import checked_host, is_loopback
    from ostinato.studio.server import create_app, listen, make_server, url_of
    from ostinato.studio.workers import Players

    if not 0 <= args.port <= _MAX_PORT:
        raise SettingsError(f"--port must be 0 to {_MAX_PORT}, not {args.port}")
    allowed = [checked_host(name.strip()) for name in args.allow_host.split(",") if name.strip()]
    models = Models.shipped_and(model_paths(args), args.config)
    with listen(args.host, args.port) as bound, contextlib.closing(Players(models.paths, models.default)) as players:
        port = bound.getsockname()[1]
        url = url_of(args.host, port)
        if not is_loopback(args.host):
            _logger.warning("--host=%s: everyone who can reach this machine can use the studio", args.host)
        print(f"the studio is at {url}; Ctrl-C ends it", flush=True)
        if args.open or (args.open is None and _has_desktop()):
            # Some browsers come back only when they are closed.
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        app = create_app(models, host=args.host, port=port, allowed=allowed, players=players)
        with contextlib.suppress(KeyboardInterrupt):
            make_server(app).run(sockets=[bound])
    return 0


def _has_desktop() -> bool:
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
