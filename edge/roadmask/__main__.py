"""``python -m roadmask``: the same as the ``roadmask`` command."""

import sys

from roadmask.cli.main import main

sys.exit(main())
