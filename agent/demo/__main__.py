"""Entry point of ``python -m agent.demo``; the demo restarts itself this way."""

from __future__ import annotations

import sys

from agent.demo import main

sys.exit(main(sys.argv[1:]))
