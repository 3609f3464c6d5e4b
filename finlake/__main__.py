"""``python -m finlake`` is the ``finlake`` command."""

import sys

from finlake.cli import main

if __name__ == "__main__":
    sys.exit(main())
