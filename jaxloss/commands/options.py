"""How tyro reads the options of all commands."""

import tyro

Unprefixed = tyro.conf.arg(name="")
"""For a group of options whose names need no prefix."""

CONFIG = (tyro.conf.DisallowNone, tyro.conf.FlagCreatePairsOff)
"""No option takes the word None, and switches have no opposite."""
