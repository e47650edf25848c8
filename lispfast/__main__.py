"""`python -m lispfast` is `lispd-fast`."""

import sys

from lispfast.cli.daemon import main

sys.exit(main())
