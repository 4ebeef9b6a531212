"""Conversion and data sets past one machine: Apache Beam carries the same work to any runner.

What becomes of a file or a record is said by the functions that do it on one
machine, `convert_files` and `examples_of`; here stands only what takes the data
there and back. The records are the same, in no particular order.
"""

import logging

from ostinato.errors import MissingExtraError

# While it is imported, Beam warns of every cloud library that is not there.
_level = logging.root.manager.disable
logging.disable(logging.WARNING)
try:
    import apache_beam  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "apache_beam":
        raise
    raise MissingExtraError("--runner", "beam") from None
finally:
    logging.disable(_level)
