"""What the processes of one run tell each other: the same state, and that they agree."""

import hashlib
from collections.abc import Callable

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxloss.errors import InvalidInputError


def is_first() -> bool:
    """Whether this process is the one that writes files and talks to people."""
    return jax.process_index() == 0


def from_first(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Gives every process the arrays of the first, bit for bit.

    Args:
        arrays: the same names, shapes and types on all processes.
    """
    if jax.process_count() == 1:
        return arrays
    # As bytes: JAX would narrow doubles, and its sum over processes turns -0 into 0.
    own = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays.values())
    first = multihost_utils.broadcast_one_to_all(np.frombuffer(own, np.uint8)).tobytes()
    received: dict[str, np.ndarray] = {}
    start = 0
    for name, array in arrays.items():
        end = start + array.nbytes
        received[name] = np.frombuffer(first[start:end], array.dtype).reshape(array.shape).copy()
        start = end
    return received


def require_agreement(what: str, content: Callable[[], bytes]) -> None:
    """Compares a content over all processes.

    Args:
        what: the content's name, for the message.
        content: gives what must be the same on all of them; not called where there is but one.

    Raises:
        InvalidInputError: names the processes whose content is not that of process 0.
    """
    if jax.process_count() == 1:
        return
    digest = np.frombuffer(hashlib.sha256(content()).digest(), np.uint8)
    digests = multihost_utils.process_allgather(digest)
    others = [i for i, row in enumerate(digests.tolist()) if row != digests[0].tolist()]
    if others:
        raise InvalidInputError(
            f"{what} of process {', '.join(map(str, others))} are not those of process 0; "
            "start all with the same words, data and versions, on machines of one kind"
        )
