import numpy as np
import pytest
import tensorflow_datasets

from jaxloss.errors import InvalidInputError
from jaxloss.tasks import TaskSettings, load_task, tfds_data


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [
        ("mnist", (28, 28, 1), 10),
        ("cifar10", (32, 32, 3), 10),
        ("svhn_cropped", (32, 32, 3), 10),
        ("cifar100", (32, 32, 3), 100),
    ],
)
def test_images_and_labels_are_read(name, shape, classes):
    with tensorflow_datasets.testing.mock_data(num_examples=30):
        raw = tfds_data(name)
    assert raw.inputs.shape == (30, *shape)
    assert raw.inputs.dtype == np.uint8
    assert len(raw.class_names) == classes
    assert raw.test is not None
    assert raw.test[0].shape == (30, *shape)
    assert 0 <= raw.targets.min() <= raw.targets.max() < classes


def test_a_task_keeps_the_test_split_of_its_data_set():
    with tensorflow_datasets.testing.mock_data(num_examples=200):
        task = load_task("tfds:mnist", TaskSettings(model="lenet5"))
    assert task.name == "tfds:mnist"
    assert len(task.test.targets) == 200
    assert len(task.train.targets) + len(task.valid.targets) == 200
    assert abs(len(task.train.targets) - 150) <= 10
    np.testing.assert_allclose(task.train.inputs.mean(), 0, atol=1e-4)
    np.testing.assert_allclose(task.train.inputs.std(), 1, atol=1e-4)


def test_a_data_set_that_is_not_prepared_says_how_to_prepare_it(tmp_path):
    with pytest.raises(InvalidInputError) as caught:
        tfds_data("mnist", str(tmp_path))
    message = str(caught.value)
    assert f"tfds build mnist --file_format=array_record --data_dir={tmp_path}" in message
    assert f"tfds.builder('mnist', data_dir='{tmp_path}', file_format='array_record')" in message
    assert "needs the network" in message
    assert list(tmp_path.iterdir()) == []


def test_unknown_names_and_other_kinds_of_data_are_refused():
    with pytest.raises(InvalidInputError, match="'tfds:mnits'; valid, nearest first: mnist, "):
        tfds_data("mnits")
    with (
        tensorflow_datasets.testing.mock_data(num_examples=3),
        pytest.raises(InvalidInputError, match=r"has the features .*; only sets for image"),
    ):
        tfds_data("imdb_reviews")


def test_images_of_different_sizes_are_refused(monkeypatch):
    class Sizes(list):
        with tensorflow_datasets.testing.mock_data(num_examples=3):
            dataset_info = tensorflow_datasets.builder("mnist").info

    sizes = Sizes({"image": np.zeros((side, side, 1)), "label": 0} for side in (4, 5))
    monkeypatch.setattr(tensorflow_datasets, "data_source", lambda *_, **__: sizes)
    with pytest.raises(InvalidInputError, match="images of different sizes"):
        tfds_data("mnist")
