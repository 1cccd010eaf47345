"""The program ``gearfast``, run by an interpreter. Where gearfast is a launcher, this is gearfast-python beside it."""

import sys

from gearfast.cli.daemon import take_name
from gearfast.cli.program import main

sys.argv[0] = sys.argv[0].removesuffix("-python")
take_name("gearfast")
sys.exit(main())
