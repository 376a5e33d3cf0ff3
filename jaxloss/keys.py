"""Randomness by name: one key for a run, a key of its own for each purpose."""

import zlib

import jax
from jaxtyping import PRNGKeyArray


def named_key(key: PRNGKeyArray, purpose: str) -> PRNGKeyArray:
    """Derives the key of one purpose.

    Keys of ``jax.random.split`` and of ``fold_in`` with small numbers can coincide; a name folded
    in by its checksum keeps purposes apart from each other and from counters.
    """
    return jax.random.fold_in(key, zlib.crc32(purpose.encode()))
