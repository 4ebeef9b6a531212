import argparse

import pytest

from ostinato.cli.flags import add_boolean


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ([], None),
        (["--eval"], True),
        (["--noeval"], False),
        (["--no_eval"], False),
        (["--eval=true"], True),
        (["--eval=False"], False),
        (["--eval=0"], False),
        (["--eval", "--noeval"], False),
    ],
)
def test_a_boolean_is_written_as_magentas_users_do(given: list[str], value: bool | None) -> None:
    parser = argparse.ArgumentParser()
    add_boolean(parser, "--eval", default=None, help="evaluate")
    assert parser.parse_args(given).eval is value


@pytest.mark.parametrize("given", ["--eval=maybe", "--noeval=true"])
def test_other_words_are_refused(given: str) -> None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_boolean(parser, "--eval", default=False, help="evaluate")
    with pytest.raises(SystemExit):
        parser.parse_args([given])
