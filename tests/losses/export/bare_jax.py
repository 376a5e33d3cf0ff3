"""Runs exported source where there is no jaxloss: JAX and NumPy alone.

Takes a folder with ``sources.json``, which names each source's inputs, and ``inputs.npz``; writes
``results.npz``.
"""

import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np


class NoJaxloss:
    """Finds no module of that name, wherever it is installed."""

    def find_spec(self, name: str, *_: object) -> None:
        if name.split(".")[0] == "jaxloss":
            raise ImportError(f"{name} is not here")


sys.meta_path.insert(0, NoJaxloss())
try:
    import jaxloss
except ImportError:
    jaxloss = None
assert jaxloss is None, "jaxloss can be imported here"

folder = Path(sys.argv[1])
inputs = np.load(folder / "inputs.npz")
sources = json.loads((folder / "sources.json").read_text())
results = {}
for number, (source, function, given) in enumerate(sources):
    names = {}
    exec(source, names)
    outputs, targets = (jnp.asarray(inputs[f"{given} {part}"]) for part in ("outputs", "targets"))

    def summed(outputs, loss=names[function], targets=targets):
        values = loss(outputs, targets)
        return jnp.sum(values), values

    (_, values), gradient = jax.value_and_grad(summed, has_aux=True)(outputs)
    results |= {f"{number} values": values, f"{number} gradient": gradient}
np.savez(folder / "results.npz", **results)
