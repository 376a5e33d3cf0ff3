import shutil
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss import InvalidInputError
from jaxloss.runs import checkpoint


def _state(number: int) -> dict[str, Any]:
    return {
        "key": jax.random.fold_in(jax.random.key(3), number),
        "count": np.int32(number),
        "fitness": np.array([0.1, -np.inf, np.nan, 1e-45], np.float32) * (number + 1),
        "genomes": jnp.arange(6, dtype=jnp.int8).reshape(2, 3),
        "empty": np.zeros((4, 0), np.float32),
    }


def _saved(folder: Path, count: int) -> None:
    folder.mkdir()
    for number in range(1, count + 1):
        checkpoint.save(folder, number, _state(number))


def _assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for name, value in expected.items():
        if name == "key":
            assert found[name].dtype == value.dtype
            value, other = jax.random.key_data(value), jax.random.key_data(found[name])
        else:
            other = found[name]
        assert np.asarray(other).dtype == np.asarray(value).dtype
        assert np.asarray(other).tobytes() == np.asarray(value).tobytes()


def _nothing_damaged(path: Path) -> None:
    raise AssertionError(f"{path} should be sound")


def test_a_state_comes_back_bit_for_bit(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    _saved(folder, 1)
    found = checkpoint.restore(folder, _state(0), _nothing_damaged)
    assert found is not None
    assert found[0] == 1
    _assert_same(found[1], _state(1))


def test_the_newest_three_stay(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    _saved(folder, 5)
    names = ["000003", "000004", "000005"]
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == names
    found = checkpoint.restore(folder, _state(0), _nothing_damaged)
    assert found is not None
    assert found[0] == 5


def test_saving_an_earlier_generation_forgets_the_later_ones(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    _saved(folder, 4)
    checkpoint.save(folder, 3, _state(30))
    found = checkpoint.restore(folder, _state(0), _nothing_damaged)
    assert found is not None
    assert found[0] == 3
    _assert_same(found[1], _state(30))


def test_without_a_checkpoint_there_is_nothing(tmp_path: Path) -> None:
    leftover = tmp_path / "000001.orbax-checkpoint-tmp-17"
    leftover.mkdir()
    assert checkpoint.restore(tmp_path, _state(0), _nothing_damaged) is None
    assert not leftover.exists()


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def _data_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("d/*") if path.is_file()]


def _damages() -> dict[str, Any]:
    return {
        "flipped": lambda folder: [_flip(path) for path in _data_files(folder)],
        "truncated": lambda folder: [path.write_bytes(b"") for path in _data_files(folder)],
        "metadata": lambda folder: (folder / "_METADATA").unlink(),
        "manifest": lambda folder: (folder / "manifest.ocdbt").write_bytes(b"garbage"),
        "list": lambda folder: folder.with_name(folder.name + ".sha256.json").write_text("{"),
        "gone": shutil.rmtree,
        "empty": lambda folder: [path.unlink() for path in folder.rglob("*") if path.is_file()],
    }


@pytest.mark.parametrize("damage", _damages())
def test_a_damaged_newest_checkpoint_is_passed_over(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "checkpoints"
    _saved(folder, 3)
    _damages()[damage](folder / "000003")
    passed_over: list[Path] = []
    found = checkpoint.restore(folder, _state(0), passed_over.append)
    assert found is not None
    assert found[0] == 2
    _assert_same(found[1], _state(2))
    assert [path.name for path in passed_over] == ["000003"]


def test_any_flipped_byte_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    _saved(folder, 2)
    for path in sorted((folder / "000002").rglob("*")):
        if path.is_file():
            sound = path.read_bytes()
            _flip(path)
            found = checkpoint.restore(folder, _state(0), lambda _: None)
            assert found is not None
            assert found[0] == 1
            path.write_bytes(sound)
    found = checkpoint.restore(folder, _state(0), _nothing_damaged)
    assert found is not None
    assert found[0] == 2


def test_another_structure_counts_as_damage(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    _saved(folder, 1)
    with pytest.raises(InvalidInputError, match="all checkpoints"):
        checkpoint.restore(folder, {**_state(0), "more": np.zeros(2)}, lambda _: None)


def test_when_all_are_damaged_it_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    _saved(folder, 2)
    for name in ("000001", "000002"):
        (folder / name / "_METADATA").unlink()
    with pytest.raises(InvalidInputError, match="all checkpoints"):
        checkpoint.restore(folder, _state(0), lambda _: None)


@pytest.mark.parametrize("count", [0, 1])
def test_a_save_that_was_killed_before_its_end_does_not_count(tmp_path: Path, count: int) -> None:
    folder = tmp_path / "checkpoints"
    _saved(folder, count + 1)
    (folder / f"00000{count + 1}.sha256.json").unlink()
    found = checkpoint.restore(folder, _state(0), _nothing_damaged)
    assert (0 if found is None else found[0]) == count
    checkpoint.save(folder, count + 1, _state(count + 1))
    found = checkpoint.restore(folder, _state(0), _nothing_damaged)
    assert found is not None
    assert found[0] == count + 1


def test_a_save_takes_a_tenth_of_a_second_at_most(tmp_path: Path) -> None:
    _saved(tmp_path / "checkpoints", 1)
    state = {"archive": np.zeros((1250, 100), np.float32), **_state(2)}
    seconds = []
    for number in range(2, 7):
        started = time.process_time()
        checkpoint.save(tmp_path / "checkpoints", number, state)
        seconds.append(time.process_time() - started)
    assert min(seconds) < 0.1
