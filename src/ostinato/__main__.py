"""`python -m ostinato`: the same as the `ostinato` command."""

import sys

from ostinato.cli.main import main

sys.exit(main())
