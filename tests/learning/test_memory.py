from pathlib import Path

import jax
import pytest

from jaxloss.learning import memory

GIB = 2**30


@pytest.mark.parametrize(
    ("limit", "statistics", "free"),
    [
        # Half a GiB is the program's own; the rest are files that may be dropped again.
        (str(8 * GIB), f"anon {GIB // 2}\ninactive_file {7 * GIB}\n", 15 * GIB // 2),
        (str(8 * GIB), "anon 5\n", GIB // 2),
        (str(8 * GIB), f"inactive_file {9 * GIB}\n", 8 * GIB),
        ("max", "anon 5\n", None),
    ],
)
def test_files_that_may_be_dropped_leave_memory_free(
    limit: str, statistics: str, free: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, text in (
        ("memory.max", limit),
        ("memory.current", str(15 * GIB // 2)),
        ("memory.stat", statistics),
    ):
        (tmp_path / name).write_text(f"{text}\n")
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    monkeypatch.setattr(memory, "_system_bytes", lambda: None)
    monkeypatch.setattr(memory, "SPARED", 1.0)
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices("cpu")[:1])
    monkeypatch.setattr(jax, "local_device_count", lambda: 1)
    assert memory.free_bytes() == free
