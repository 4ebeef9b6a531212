"""`ostinato studio`, as a user meets it."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ostinato.cli.main import main
from studio_parts import small_bundles

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")


@contextmanager
def _studio(*flags: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A studio of its own process, and its address."""
    command = [sys.executable, "-m", "ostinato", "studio", "--port=0", "--no_open", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            found = re.fullmatch(r"the studio is at (http://\S+/); Ctrl-C ends it\n", line)
            assert found, line
            yield process, found[1]
        finally:
            process.kill()


def test_it_serves_the_models_that_it_is_given_until_ctrl_c(tmp_path: Path) -> None:
    plain, watchful, _ = small_bundles(tmp_path).values()
    with _studio(f"--bundle_file={plain},{watchful}") as (process, url):
        with urllib.request.urlopen(f"{url}api/models", timeout=10) as response:
            models = [model["name"] for model in json.load(response)["models"]]
        assert models[:2] == ["plain", "watchful"]
        with urllib.request.urlopen(url, timeout=10) as response:
            assert response.headers["content-type"].startswith("text/html")
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=10)
    assert (process.returncode, out, errors) == (0, "", "")


def test_whoever_may_come_from_elsewhere_is_told_of() -> None:
    with _studio("--host=0.0.0.0") as (process, url):
        assert url.startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=10)
    assert errors == "--host=0.0.0.0: everyone who can reach this machine can use the studio\n"


@pytest.mark.parametrize(
    ("flags", "exit_code", "error"),
    [
        (["--port=65536"], 2, "ostinato studio: --port must be 0 to 65535, not 65536\n"),
        (["--port=x"], 2, "ostinato studio: --port: must be a whole number, not 'x'"),
        (["--bundle_file=none.mag"], 1, "ostinato studio: none.mag: there is no such bundle, checkpoint or run_dir\n"),
        (["--run_dir=none"], 1, "ostinato studio: none: there is no such bundle, checkpoint or run_dir\n"),
        (["--host=192.0.2.1"], 2, "ostinato studio: --host=192.0.2.1, --port=8765: cannot listen there: "),
    ],
)
def test_what_cannot_be_served_is_refused(
    flags: list[str], exit_code: int, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(["studio", "--no_open", *flags])
    except SystemExit as exited:
        code = int(str(exited.code))
    assert code == exit_code
    assert capsys.readouterr().err.startswith(error)


def test_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "uvicorn" else object())
    assert main(["studio"]) == 1
    assert capsys.readouterr().err == (
        "ostinato studio: the studio needs an extra that is not installed: "
        f"{sys.executable} -m pip install msgspec starlette uvicorn\n"
    )


@pytest.mark.parametrize("desktop", [True, False])
@pytest.mark.parametrize(("flags", "opened"), [([], None), (["--open"], True), (["--no_open"], False)])
def test_the_page_opens_where_there_is_a_desktop_or_as_asked(
    desktop: bool,
    flags: list[str],
    opened: bool | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pages: list[str] = []

    class Thread:
        def __init__(self, *, target: object, args: tuple[str], daemon: bool) -> None:
            assert target is webbrowser.open
            self._page = args[0]

        def start(self) -> None:
            pages.append(self._page)

    class Server:
        def run(self, sockets: object) -> None:
            raise KeyboardInterrupt

    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    if desktop:
        monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("ostinato.cli.studio.threading.Thread", Thread)
    monkeypatch.setattr("ostinato.studio.server.make_server", lambda _app: Server())
    assert main(["studio", "--port=0", *flags]) == 0
    (address,) = re.findall(r"http://\S+", capsys.readouterr().out)
    assert pages == ([address.rstrip(";")] if (desktop if opened is None else opened) else [])


def test_its_help_needs_nothing_but_python() -> None:
    program = "from ostinato.cli.main import main\ntry: main(['studio', '--help'])\nexcept SystemExit: pass"
    check = "import sys; assert not {'msgspec', 'starlette', 'uvicorn', 'numpy'} & set(sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(
        [sys.executable, "-c", f"{program}\n{check}"], check=True, stdout=subprocess.DEVNULL, env=environment
    )
