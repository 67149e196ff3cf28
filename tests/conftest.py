"""What every test shares, and nothing that belongs to one room only.

Promise: property tests never fail for a busy machine, only for a wrong answer, and under CI they
draw the same examples every time, so that a red run is red again at home.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("home", deadline=None, print_blob=True)
settings.register_profile("ci", parent=settings.get_profile("home"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "home")
