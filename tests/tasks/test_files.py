import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from jaxloss.errors import InvalidInputError
from jaxloss.tasks import file_data

ROWS = 12


def write_csv(folder, columns: dict, name="data.csv"):
    lines = [
        ",".join(columns),
        *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True)),
    ]
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def columns(**more) -> dict:
    return {"age": range(ROWS), "dose": [0.5 * row for row in range(ROWS)], **more}


def test_a_csv_becomes_inputs_in_the_order_of_the_file(tmp_path):
    path = write_csv(tmp_path, columns(value=[row + 0.25 for row in range(ROWS)]))
    raw = file_data(path, "value")
    assert (raw.name, raw.kind) == ("data", "regression")
    np.testing.assert_array_equal(raw.inputs[:, 1], 0.5 * np.arange(ROWS))
    np.testing.assert_array_equal(raw.targets, np.arange(ROWS) + 0.25)


def test_a_parquet_file_reads_as_the_csv_does(tmp_path):
    table = columns(sort=["cat", "dog"] * (ROWS // 2), sick=[row % 3 == 0 for row in range(ROWS)])
    path = tmp_path / "data.parquet"
    arrow = pa.table({name: list(values) for name, values in table.items()})
    arrow = arrow.set_column(2, "sort", arrow["sort"].dictionary_encode())
    parquet.write_table(arrow, path)
    from_parquet = file_data(path, "sort")
    from_csv = file_data(write_csv(tmp_path, table), "sort")
    np.testing.assert_array_equal(from_parquet.inputs, from_csv.inputs)
    np.testing.assert_array_equal(from_parquet.targets, from_csv.targets)
    assert from_parquet.kind == "classification"
    assert from_parquet.inputs[3, 2] == 1


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        (["x", "y"] * 6, "classification"),
        ([True, False] * 6, "classification"),
        ([0, 1] * 6, "classification"),
        ([3.0, 7.0] * 6, "classification"),
        ([0, 1, 2] * 4, "regression"),
        ([0.5, 1.5] * 6, "regression"),
    ],
)
def test_the_kind_is_guessed_from_the_target_and_can_be_overruled(tmp_path, target, kind):
    path = write_csv(tmp_path, columns(target=target))
    assert file_data(path, "target").kind == kind
    assert file_data(path, "target", "classification").kind == "classification"


def test_the_hidden_index_of_pandas_is_no_column(tmp_path):
    hidden = {"__index_level_0__": range(ROWS), "__index_level_1__": range(ROWS)}
    table = {**hidden, **columns(value=range(ROWS)), "index_level_0": range(ROWS)}
    path = tmp_path / "data.parquet"
    parquet.write_table(pa.table({name: list(values) for name, values in table.items()}), path)
    assert file_data(path, "value").inputs.shape == (ROWS, 3)


def test_a_first_column_without_a_name_only_names_the_rows(tmp_path):
    table = {"": [f"row {row}" for row in range(ROWS)], **columns(value=range(ROWS))}
    assert file_data(write_csv(tmp_path, table), "value").inputs.shape == (ROWS, 2)
    table[" "] = table.pop("")
    lines = write_csv(tmp_path, table).read_text().replace(", ", ",")
    (tmp_path / "last.csv").write_text(lines)
    with pytest.raises(InvalidInputError, match="has a column without a name; name it"):
        file_data(tmp_path / "last.csv", "value")


def test_whole_numbers_that_are_classes_stay_apart_however_large(tmp_path):
    # 2**53 and 2**53 + 1 are the same number in double precision.
    table = columns(y=[2**53, 2**53 + 1] * (ROWS // 2))
    raw = file_data(write_csv(tmp_path, table), "y")
    assert raw.kind == "classification"
    assert len(set(raw.targets.tolist())) == 2


@pytest.mark.parametrize("labels", [np.arange(ROWS) % 2, np.array(["a", "b"] * (ROWS // 2))])
def test_a_column_of_targets_is_as_good_as_a_vector(tmp_path, labels):
    np.savez(tmp_path / "column.npz", x=np.ones((ROWS, 2)), y=labels[:, None])
    raw = file_data(tmp_path / "column.npz", "y")
    assert raw.kind == "classification"
    np.testing.assert_array_equal(raw.targets, labels)


def test_arrays_of_inputs_and_columns_from_npz(tmp_path):
    images = np.random.default_rng(0).random((ROWS, 4, 4))
    targets = np.arange(ROWS) % 2
    np.savez(tmp_path / "images.npz", X=images, label=targets)
    raw = file_data(tmp_path / "images.npz", "label")
    np.testing.assert_array_equal(raw.inputs, images)
    np.testing.assert_array_equal(raw.targets, targets)
    assert raw.kind == "classification"
    np.savez(tmp_path / "columns.npz", a=np.arange(ROWS), b=targets, x=np.zeros(ROWS))
    np.testing.assert_array_equal(
        file_data(tmp_path / "columns.npz", "b").inputs,
        np.stack([np.arange(ROWS), np.zeros(ROWS)], 1),
    )


def gap(values, row: int, value="") -> list:
    changed = list(values)
    changed[row] = value
    return changed


@pytest.mark.parametrize(
    ("table", "target", "kind", "message"),
    [
        (columns(y=range(ROWS)), "yy", None, "none is called 'yy'; columns: y, "),
        (columns(y=range(ROWS)), None, None, "say which one to predict; columns: age, dose, y"),
        (columns(y=gap(range(ROWS), 3), z=range(ROWS)), "z", None, "nan in data row 4, column 'y'"),
        (columns(y=gap(range(ROWS), 3, "nan"), z=range(ROWS)), "z", None, "data row 4, column 'y'"),
        (
            columns(y=gap(range(ROWS), 5, "high"), z=range(ROWS)),
            "z",
            None,
            r"column 'y' has 'high', which is not a number, in data row 6 \(counted from 1\)",
        ),
        (columns(y=["a", "", "b"] * 4), "age", None, "column 'y' has 'a'"),
        (columns(y=["1", "", "b"] * 4), "age", None, "column 'y' is empty in data row 2"),
        (
            columns(day=["2020-01-01"] * ROWS),
            "age",
            None,
            r"column 'day' has datetime.date\(2020, 1, 1\), which is not a number, in data row 1",
        ),
        (columns(y=gap("ab" * 6, 7)), "y", None, "target 'y' is empty in data row 8"),
        (columns(y=gap(range(ROWS), 2)), "y", None, "target 'y': nan in data row 3"),
        (columns(y="ab" * 6), "y", "regression", r"is text \(for instance 'a'\); regression"),
        ({"y": range(ROWS)}, "y", None, "no columns besides the target"),
        ({"y": [], "x": []}, "y", None, "has a header but no rows"),
    ],
)
def test_bad_tables_are_refused_by_column_and_row(tmp_path, table, target, kind, message):
    with pytest.raises(InvalidInputError, match=message):
        file_data(write_csv(tmp_path, table), target, kind)


def test_files_that_cannot_be_read_are_refused(tmp_path):
    write_csv(tmp_path, columns(), "patients.csv")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "ragged.csv").write_text("a,b\n1,2\n3\n")
    (tmp_path / "twice.csv").write_text("a,a\n1,2\n")
    for name in ("bad.parquet", "bad.npz"):
        (tmp_path / name).write_text("not what it says")
    with (tmp_path / "array.npz").open("wb") as file:
        np.save(file, np.ones(3))
    np.savez_compressed(tmp_path / "damaged.npz", a=np.arange(ROWS), x=np.arange(ROWS))
    damaged = bytearray((tmp_path / "damaged.npz").read_bytes())
    damaged[60:100] = b"\xff" * 40
    (tmp_path / "damaged.npz").write_bytes(damaged)
    for name, message in [
        ("array.npz", "cannot be read"),
        ("damaged.npz", "cannot be read"),
        ("pateints.csv", "no file .*: patients.csv, "),
        ("nowhere/data.csv", "no data files"),
        ("empty.csv", "cannot be read: Empty CSV file"),
        ("ragged.csv", "cannot be read: .*Expected 2 columns, got 1"),
        ("twice.csv", "more than one column called a"),
        ("bad.parquet", "cannot be read"),
        ("bad.npz", "cannot be read"),
        ("data.xlsx", "unknown kind of file '.xlsx' .*; valid: .csv, .parquet, .npz"),
    ]:
        with pytest.raises(InvalidInputError, match=message):
            file_data(tmp_path / name, "a")


def test_pickles_are_never_loaded(tmp_path):
    path = tmp_path / "pickled.npz"
    np.savez(path, x=np.ones((2, 2)), y=np.array([datetime.date(2020, 1, 1), None], dtype=object))
    with pytest.raises(InvalidInputError, match="allow_pickle=False"):
        file_data(path, "y")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.ones((3, 2)), "y": np.ones(4)}, "inputs have 3 rows, target 'y' has 4"),
        ({"images": np.ones((4, 2)), "y": np.ones(4)}, "images are no columns; .* inputs or x"),
        ({"a": np.ones(3), "b": np.ones(4), "y": np.ones(4)}, "columns differ in length"),
        ({"x": np.full((4, 2), np.nan), "y": np.ones(4)}, "nan in data row 1, column 1"),
        ({"a": np.array(["1", "b"]), "y": np.ones(2)}, "column 'a' has 'b'"),
        (
            {"x": np.ones((4, 2)), "y": np.ones(4, "datetime64[D]")},
            r"target 'y' is datetime64\[D\]; expected numbers, booleans or text",
        ),
        ({"x": np.array([[1], [np.inf]], np.float16), "y": np.ones(2)}, "inf in data row 2"),
        ({"x": np.ones((4, 2)), "y": 3.0}, r"target 'y' needs .* got an array of shape \(\)"),
        ({"x": np.ones((0, 2)), "y": np.ones(0)}, r"target 'y' needs .* of shape \(0,\)"),
    ],
)
def test_bad_arrays_are_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(InvalidInputError, match=message):
        file_data(tmp_path / "bad.npz", "y")


def test_a_target_of_one_class_is_refused_with_its_column(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("a,label\n" + "".join(f"{row},yes\n" for row in range(40)))
    with pytest.raises(InvalidInputError, match="column 'label' holds one class only, 'yes'"):
        file_data(path, "label")
