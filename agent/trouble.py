"""Why: what a person can mend is told in one sentence, not in a traceback.

Promise: every error of this kind carries the sentence and the exit code of the command.
"""

from __future__ import annotations


class Trouble(Exception):
    """Something the reader can act on; printed as it is, without a traceback."""

    exit_code = 1
