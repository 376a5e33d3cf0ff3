"""Which devices and processes a command computes on; started before anything touches JAX."""

import contextlib
import os
import traceback
from collections.abc import Iterator
from dataclasses import dataclass

import jax

from jaxloss.errors import InvalidInputError, require
from jaxloss.runs.group import FAILED, Address, Group, leave, roll_call

_WHOLE_LOOPS = "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=4000000"
"""Loops over less than 4 MB become one function: more than a tree's values take, batch 128 and ten
outputs, and less than what would keep a network's training from its matrix library. Measured: the
rejection test of a tree takes 0.9 ms instead of 5.5. XLA versions without the option ignore it."""

AUTO = "auto"
"""The coordinator that JAX finds by itself, in a SLURM step or on a TPU pod."""


@dataclass(frozen=True)
class DeviceSettings:
    """Devices and processes of a run; no part of what the run is, and free to change on --resume.

    Raises:
        InvalidInputError: a number is out of range, or something is missing beside ``coordinator``.
    """

    devices: int | None = None
    """Devices that a CPU is divided into; by default one for each core."""
    coordinator: str | None = None
    """HOST:PORT of process 0 if several processes share the run; auto on SLURM and TPU pods."""
    processes: int | None = None
    """How many processes share the run; with --coordinator HOST:PORT."""
    process_id: int | None = None
    """Which of them this is, from 0; with --coordinator HOST:PORT."""
    join_timeout: int = 300
    """Seconds to wait for the other processes; *assumed*, as in JAX."""

    def __post_init__(self) -> None:
        for name, number in (("devices", self.devices), ("processes", self.processes)):
            require(number is None or number >= 1, f"{name} must be 1 or more, got {number}")
        require(self.join_timeout >= 1, f"join_timeout must be 1 or more, got {self.join_timeout}")
        given = [self.processes is not None, self.process_id is not None]
        if self.coordinator is None:
            require(
                not any(given),
                "--processes and --process-id need --coordinator HOST:PORT, the address of "
                "process 0",
            )
            return
        if self.coordinator == AUTO:
            require(
                not any(given),
                "--coordinator auto finds out --processes and --process-id; leave them out",
            )
            return
        _ = self.address
        require(
            all(given), f"--coordinator {self.coordinator} needs --processes and --process-id too"
        )
        require(
            0 <= (self.process_id or 0) < (self.processes or 1),
            f"process_id must be within 0 and {(self.processes or 1) - 1}, got {self.process_id}",
        )

    @property
    def address(self) -> Address:
        """Where process 0 listens.

        Raises:
            InvalidInputError: ``coordinator`` is not of the form HOST:PORT.
        """
        host, _, port = (self.coordinator or "").rpartition(":")
        require(
            bool(host) and port.isdecimal() and 0 < int(port) < 65536,
            f"coordinator must be HOST:PORT, for instance 10.0.0.1:1234, or auto, "
            f"got {self.coordinator!r}",
        )
        return Address(host.removeprefix("[").removesuffix("]"), int(port))


@contextlib.contextmanager
def started_devices(settings: DeviceSettings) -> Iterator[None]:
    """Starts the devices, joins the other processes, and ends together with them.

    Where several processes share a run and one fails, the others end too, each with one message.

    Raises:
        InvalidInputError: there are no such devices, or the processes did not come together.
    """
    use_all_cores(settings.devices)
    group = _joined(settings)
    try:
        _check_devices(settings)
        yield
    except (InvalidInputError, OSError, KeyboardInterrupt) as error:
        if group is not None:
            group.fail(str(error) or "interrupted")
        raise
    except Exception as error:
        if group is not None:
            # A collective operation breaks when a companion dies, which has its own message.
            group.await_news()
            group.fail(f"{type(error).__name__}: {error}")
        if jax.distributed.is_initialized():
            traceback.print_exc()
            leave(FAILED)
        raise
    if group is not None:
        group.finish()


def use_all_cores(devices: int | None = None) -> None:
    """Prepares JAX for populations on a CPU; call it before the first array is made.

    JAX then sees each core as a device, because small networks leave cores idle otherwise; and XLA
    compiles the loops that run trees to one native function each, rather than dispatch every
    operation in them, which is an order of magnitude faster for small batches. What the environment
    variable ``XLA_FLAGS`` says about either is left as it is.

    Args:
        devices: how many devices the CPU is divided into; by default one for each core.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if _WHOLE_LOOPS.partition("=")[0] not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_WHOLE_LOOPS}".strip()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    # JAX fixes the number of its devices at their first use; then `_check_devices` has the word.
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", devices or cores or 1)


def _joined(settings: DeviceSettings) -> Group | None:
    if settings.coordinator is None:
        return None
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    # With this service a process would not end on SIGTERM; a run can be stopped anywhere.
    with contextlib.suppress(AttributeError):  # JAX 0.7 does not know the option.
        jax.config.update("jax_enable_preemption_service", False)
    seconds = settings.join_timeout
    if settings.coordinator == AUTO:
        try:
            jax.distributed.initialize(initialization_timeout=seconds)
        except (ValueError, RuntimeError) as error:
            raise InvalidInputError(
                f"--coordinator auto found no cluster ({error}); give --coordinator HOST:PORT, "
                "--processes and --process-id"
            ) from error
        return None
    processes, process_id = settings.processes or 1, settings.process_id or 0
    group = roll_call(settings.address, processes, process_id, seconds)
    group.watch()
    jax.distributed.initialize(
        str(settings.address),
        processes,
        process_id,
        cluster_detection_method="deactivate",
        initialization_timeout=seconds,
    )
    return group


def _check_devices(settings: DeviceSettings) -> None:
    local, kind = jax.local_device_count(), jax.default_backend()
    require(
        settings.devices in (None, local),
        f"--devices {settings.devices} divides a CPU, but {local} {kind} devices are in use",
    )
    require(
        jax.device_count() == local * jax.process_count(),
        f"this process has {local} devices, but all {jax.process_count()} together "
        f"{jax.device_count()}; give each the same number with --devices",
    )
