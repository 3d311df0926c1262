"""`python -m apr.training`: what `apr train` does, on a machine with little installed."""

from __future__ import annotations

import sys

from apr.training.commands import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
