"""``python -m agent.demo``: the same as ``sigap demo``; the demo starts itself again this way."""

from __future__ import annotations

import sys

from agent.demo import main

sys.exit(main(sys.argv[1:]))
