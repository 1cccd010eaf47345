"""``python -m gearfast``."""

import sys

from gearfast.cli import main

if __name__ == "__main__":
    sys.exit(main())
