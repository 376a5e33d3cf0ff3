"""Gives a CPU one device for each core, over which a population is spread."""

import os

import jax


def use_all_cores() -> None:
    """Makes JAX see each core as a device; small networks would leave cores idle otherwise.

    Has no effect on accelerators, nor in a process whose devices are in use already.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        jax.config.update("jax_num_cpu_devices", cores or 1)
    except RuntimeError:
        # JAX fixes the number of its devices at their first use.
        return
