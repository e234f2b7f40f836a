"""``python -m roadmask``: the same as the ``roadmask`` command."""

import sys

from roadmask.cli import main

sys.exit(main())
