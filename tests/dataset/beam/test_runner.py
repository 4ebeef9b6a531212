from typing import Any

import apache_beam as beam
import pytest

from ostinato.dataset.beam.runner import pipeline_options, run_pipeline
from ostinato.errors import OstinatoError, SettingsError


def test_beams_flags_reach_it() -> None:
    options = pipeline_options("DirectRunner", ["--direct_num_workers", "3", "--experiments=a", "--experiments=b"])
    found = options.get_all_options()
    assert (found["runner"], found["direct_num_workers"], found["experiments"]) == ("DirectRunner", 3, ["a", "b"])


def test_flags_that_only_the_runner_knows_go_after_two_dashes() -> None:
    options = pipeline_options("FlinkRunner", ["--parallelism=4", "--", "--only_the_runner=5"])
    found = options.get_all_options(retain_unknown_options=True)
    assert (found["parallelism"], found["only_the_runner"]) == (4, "5")
    with pytest.raises(SettingsError, match=r"knows --only_the_runner=5; .* go after --$"):
        pipeline_options("FlinkRunner", ["--only_the_runner=5", "--", "--parallelism=4"])


@pytest.mark.parametrize(
    ("runner", "flags", "message"),
    [
        ("DirectRunner", ["--direct_num_workers=x"], "--direct_num_workers: invalid int value: 'x'"),
        ("DirectRunner", ["--", "--direct_num_workers=x"], "--direct_num_workers: invalid int value: 'x'"),
        ("DirectRunner", ["word"], "knows word; flags"),
        ("NoRunner", [], "--runner=NoRunner: Unexpected pipeline runner"),
    ],
)
def test_wrong_flags_are_refused_in_one_line(runner: str, flags: list[str], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        run_pipeline(pipeline_options(runner, flags), lambda pipeline: None)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_run_that_fails_is_one_line() -> None:
    def build(pipeline: Any) -> None:
        pipeline | beam.Create([0]) | beam.Map(lambda number: 1 // number)

    with pytest.raises(OstinatoError, match=r"the run on DirectRunner failed: .*division") as caught:
        run_pipeline(pipeline_options("DirectRunner", ()), build)
    assert "\n" not in str(caught.value)
