"""``python -m roadmask``: the same as the ``roadmask`` command."""

import sys

from roadmask.cli.entry import main

sys.exit(main())
