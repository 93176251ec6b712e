"""`python -m faceqa`."""

import sys

from faceqa.cli import main

sys.exit(main())
