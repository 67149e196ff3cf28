"""Entry point of ``python -m agent``; same as ``sigap``."""

from __future__ import annotations

import sys

from agent.cli import main

sys.exit(main())
