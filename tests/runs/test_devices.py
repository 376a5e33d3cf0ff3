import os
import subprocess
import sys

import jax
import pytest

from jaxloss import InvalidInputError
from jaxloss.runs.devices import DeviceSettings, started_devices
from jaxloss.runs.group import Address


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"devices": 0}, "devices must be 1 or more, got 0"),
        ({"join_timeout": 0}, "join_timeout must be 1 or more"),
        ({"processes": 2}, "need --coordinator HOST:PORT"),
        ({"process_id": 0}, "need --coordinator HOST:PORT"),
        ({"coordinator": "auto", "processes": 2}, "leave them out"),
        ({"coordinator": "host:1"}, "needs --processes and --process-id"),
        ({"coordinator": "host:1", "processes": 2}, "needs --processes and --process-id"),
        ({"coordinator": "host:1", "processes": 0, "process_id": 0}, "processes must be 1 or more"),
        ({"coordinator": "host:1", "processes": 2, "process_id": 2}, "within 0 and 1, got 2"),
        ({"coordinator": "host:1", "processes": 2, "process_id": -1}, "within 0 and 1, got -1"),
        *(
            ({"coordinator": wrong, "processes": 2, "process_id": 1}, "must be HOST:PORT")
            for wrong in ("host", "host:", ":1234", "host:0", "host:70000", "host:port", "Auto")
        ),
    ],
)
def test_what_does_not_fit_together_is_named(settings: dict, expected: str) -> None:
    with pytest.raises(InvalidInputError, match=expected):
        DeviceSettings(**settings)


@pytest.mark.parametrize(
    ("text", "address"),
    [("10.0.0.1:1234", Address("10.0.0.1", 1234)), ("[::1]:1234", Address("::1", 1234))],
)
def test_addresses_are_read_and_written(text: str, address: Address) -> None:
    assert DeviceSettings(coordinator=text, processes=2, process_id=1).address == address
    assert str(address) == text


def test_devices_that_cannot_be_had_are_refused() -> None:
    # By now the number of devices is fixed.
    wanted = jax.local_device_count() + 1
    with (
        pytest.raises(InvalidInputError, match=f"--devices {wanted} divides a CPU"),
        started_devices(DeviceSettings(devices=wanted)),
    ):
        pass
    with started_devices(DeviceSettings(devices=jax.local_device_count())):
        assert not jax.distributed.is_initialized()


COMPILE_A_TREE = """
import jax
import jax.numpy as jnp
import jaxloss
from jaxloss.losses.interpreter import assemble, interpret
from jaxloss.symbols import Alphabet

jaxloss.use_all_cores(3)
alphabet = Alphabet(capacity=8)
genome = jnp.asarray(alphabet.encode(jaxloss.parse("tanh(sub(f, y))")))
program = jax.jit(lambda w, f, y: interpret(alphabet, assemble(alphabet, genome), w, f, y))
text = program.lower(jnp.ones(7), jnp.ones(128), jnp.ones(128)).compile().as_text()
print(jax.device_count(), "xla_cpu_small_call" in text)
"""


@pytest.mark.parametrize(
    ("flags", "one_function"),
    [
        ("--xla_backend_optimization_level=0", True),
        ("--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=1", False),
    ],
)
def test_cores_become_devices_and_loops_over_trees_functions(flags: str, one_function: bool):
    """In a fresh process, because XLA reads its flags once; flags that are there have the word."""
    found = subprocess.run(
        [sys.executable, "-c", COMPILE_A_TREE],
        env={**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["3", str(one_function)]
