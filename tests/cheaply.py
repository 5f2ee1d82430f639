"""The command `postfach` with cheap hashes and without shares: for tests that ask for much, and none of which is about that.

A sign-in keeps a processor busy for a fifth of a second otherwise, and the first one of somebody imported twice as long. And
whoever compares all answers of some people uses far more than others.
"""

import sys

from execution import shares
from server.command import main
from tests import hashing

# Not within a block, so that it holds in the processes that this one starts, too: they import what began it.
_cheap = hashing.as_cheap_as_can_be()
_cheap.__enter__()

shares.FREE_SECONDS = float("inf")

if __name__ == "__main__":
    sys.exit(main())
