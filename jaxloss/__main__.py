"""Lets ``python -m jaxloss`` do what ``jaxloss`` does."""

import sys

from jaxloss.cli import main

sys.exit(main())
