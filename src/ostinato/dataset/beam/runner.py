"""Where a pipeline runs, and what Beam's own flags say about it."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions, TypeOptions, WorkerOptions
from apache_beam.runners.runner import PipelineState

from ostinato.errors import OstinatoError, SettingsError


def pipeline_options(runner: str, flags: Sequence[str]) -> Any:
    """Beam's PipelineOptions from its flags.

    Args:
        runner: DirectRunner, PrismRunner, FlinkRunner, SparkRunner, DataflowRunner, or another that Beam knows.
        flags: Beam's own, as on a command line. Those after "--" may be known to the runner alone.

    Raises:
        SettingsError: if Beam does not know a flag or refuses its value.
    """
    split = flags.index("--") if "--" in flags else len(flags)
    options = PipelineOptions([f"--runner={runner}", *flags[:split], *flags[split + 1 :]])
    # The only place where Beam shows the parser that has the flags of all its parts.
    options.get_all_options(
        add_extra_args_fn=functools.partial(_refuse_unknown, flags[:split]), retain_unknown_options=True
    )
    if runner.lower().removesuffix("runner") == "direct":
        # Else Beam would download Prism and run that, where --direct_num_workers does nothing. The pipelines have no
        # triggers, so the mark changes nothing but this.
        options.view_as(TypeOptions).allow_unsafe_triggers = True
        worker = options.view_as(WorkerOptions)
        worker.default_sdk_harness_log_level = worker.default_sdk_harness_log_level or "ERROR"
    FileSystems.set_options(options)
    return options


def _refuse_unknown(flags: Sequence[str], parser: Any) -> None:
    def refuse(message: str) -> None:
        raise SettingsError(f"Beam refuses its flags: {message}")

    parser.error = refuse
    _, unknown = parser.parse_known_args(flags)
    if unknown:
        raise SettingsError(
            f"neither this command nor Beam knows {' '.join(unknown)}; flags that only the runner knows go after --"
        )


def run_pipeline(options: Any, build: Callable[[Any], None]) -> None:
    """Build a pipeline and run it to its end.

    Args:
        options: from `pipeline_options`.
        build: gets the empty pipeline.

    Raises:
        SettingsError: if there is no such runner, or it needs other flags.
        OstinatoError: if the run fails.
    """
    runner = options.view_as(StandardOptions).runner
    try:
        pipeline = beam.Pipeline(options=options)
    except (ImportError, ValueError) as error:
        raise SettingsError(f"--runner={runner}: {_gist(error)}") from error
    build(pipeline)
    try:
        state = pipeline.run().wait_until_finish()
    except Exception as error:  # each runner has its own kinds
        raise OstinatoError(f"the run on {runner} failed: {_gist(error)}; --log=DEBUG shows where") from error
    if state != PipelineState.DONE:
        raise OstinatoError(f"the run on {runner} ended as {state}; its own log says why")


def _gist(error: BaseException) -> str:
    """One line of an error whose text may be a worker's whole traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in reversed(lines) if "Error" in line), lines[-1] if lines else type(error).__name__)
