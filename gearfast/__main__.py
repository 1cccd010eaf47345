"""``python -m gearfast``."""

import sys

from gearfast.cli.program import main

if __name__ == "__main__":
    sys.exit(main())
