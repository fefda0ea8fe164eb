"""`python -m crossmodal` is the command `crossmodal`."""

import sys

from .cli.main import main

sys.exit(main())
