"""Detection as a task: two branches, each with its companion, scenes and folders."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.learning.filters import RejectionSettings, improvement
from jaxloss.learning.fitness import FitnessSettings, network_score
from jaxloss.learning.inner import BaseOptimizerSettings, fresh_learner, train, training_step
from jaxloss.learning.unroll import meta_loss
from jaxloss.losses import zoo, zoo_form
from jaxloss.losses.binding import interpreted_binding, specialised_binding
from jaxloss.losses.cells import has_box, side_distances
from jaxloss.losses.learned import LearnedLoss
from jaxloss.losses.row_interpreter import row_binding
from jaxloss.search import Info
from jaxloss.search.cse_autoloss import cse_autoloss
from jaxloss.search.cse_settings import CSEAutoLossSettings
from jaxloss.symbols import Alphabet, parse
from jaxloss.symbols.detection_primitives import BOX_PRIMITIVES
from jaxloss.symbols.primitives import PrimitiveSet
from jaxloss.tasks import Task, TaskSettings, load_task
from jaxloss.tasks.detection import Annotations, DetectionTask, detection_task, read_coco
from jaxloss.tasks.task import Split

GoesOn = Callable[[Any, Any], None]
SPEC = "detection:scenes:count=60"
TINY = TaskSettings(model="detector:4")


def detection(branch: str = "box") -> DetectionTask:
    task = load_task(f"{SPEC}:branch={branch}", TINY)
    assert isinstance(task, DetectionTask)
    return task


@pytest.fixture(scope="module")
def boxes() -> DetectionTask:
    return detection()


@pytest.fixture(scope="module")
def classes() -> DetectionTask:
    return detection("class")


def batch(task: Task, examples: int = 6) -> tuple[Any, Split]:
    part = Split(task.train.inputs[:examples], task.train.targets[:examples])
    return task.model.init(jax.random.key(0), part.inputs[:1]), part


def test_a_branch_moves_its_own_outputs_and_the_companion_the_others(
    boxes: DetectionTask, classes: DetectionTask
):
    variables, part = batch(boxes)
    outputs, _ = boxes.model.apply(variables, part.inputs, True, None)
    there = np.asarray(has_box(outputs, part.targets))
    assert 0 < there.mean() < 0.7

    def slopes(loss: Any) -> np.ndarray:
        total = jax.jit(jax.grad(lambda outputs: jnp.sum(loss(outputs, part.targets))))
        return np.abs(np.asarray(total(outputs)))

    own, companion = slopes(boxes.task_loss), slopes(boxes.settings.companion)
    assert not own[..., :-4].any()
    assert not own[~there].any()
    assert own[there][:, -4:].any(axis=1).all()
    assert not companion[..., -4:].any()
    assert companion[..., :-4].all()
    np.testing.assert_array_equal(companion, slopes(classes.task_loss))
    np.testing.assert_array_equal(own, slopes(classes.settings.companion))


def test_values_are_averaged_over_the_cells_with_a_box(boxes: DetectionTask):
    variables, part = batch(boxes)
    outputs, _ = boxes.model.apply(variables, part.inputs, True, None)
    found = boxes.task_loss(outputs, part.targets)
    # By hand, in corners of the image, for the first example.
    boxes_found = np.asarray(boxes.predictions(outputs))[0, :, -4:]
    rows = np.asarray(part.targets)[0]
    values = []
    centres = [(8 * column + 4, 8 * row + 4) for row in range(4) for column in range(4)]
    distances = np.asarray(side_distances(outputs))[0]
    for cell, (x, y) in enumerate(centres):
        if rows[cell, 0] == 4:
            continue
        left, up, right, down = distances[cell]
        a = np.array([x - left, y - up, x + right, y + down])
        left, up, right, down = rows[cell, 1:]
        b = np.array([x - left, y - up, x + right, y + down])
        shared = np.prod(np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0))
        union = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared
        around = np.prod(np.maximum(a[2:], b[2:]) - np.minimum(a[:2], b[:2]))
        values.append(1 - shared / union + (around - union) / around)
        np.testing.assert_allclose(boxes_found[cell], np.clip(a, 0, 32), rtol=1e-5)
        # The true box of a cell is that of an object.
        assert np.min(np.abs(rows[16:, 1:] - b).sum(axis=1)) < 1e-4
    np.testing.assert_allclose(found[0], np.mean(values), rtol=1e-5)


def test_a_training_step_adds_the_companion_whatever_runs_the_loss(boxes: DetectionTask):
    _, part = batch(boxes)
    text = "add(sub(1, ratio(i, u)), ratio(sub(e, u), e))"
    tree = parse(text, BOX_PRIMITIVES)
    alphabet = Alphabet(BOX_PRIMITIVES, 16)
    genome = jnp.asarray(alphabet.encode(tree))
    ones = jnp.ones(15)
    losses = {
        "zoo": boxes.task_loss,
        "interpreted": interpreted_binding(alphabet, boxes.view, genome)(ones),
        "specialised": specialised_binding(boxes.view, tree)(ones),
        "rows": row_binding(alphabet, boxes.view, genome),
        "alone": None,
    }
    settings = BaseOptimizerSettings(learning_rate=0.1, momentum=0.0, weight_decay=0.0)
    optimizer, key = settings.make(), jax.random.key(1)
    learner = fresh_learner(key, boxes.model, optimizer, part)
    alone = boxes.model._replace(companion=None)
    companion = boxes.settings.companion

    def whole(outputs: Any, targets: Any) -> Any:
        return boxes.task_loss(outputs, targets) + companion(outputs, targets)

    steps = {
        name: jax.jit(
            lambda loss=loss: (
                training_step(boxes.model, optimizer, loss, learner, part, key)
                if loss is not None
                else training_step(alone, optimizer, whole, learner, part, key)
            )
        )()
        for name, loss in losses.items()
    }
    for after in steps.values():
        jax.tree.map(
            lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6),
            after.variables,
            steps["alone"].variables,
        )
    moved = jax.tree.map(
        lambda one, other: float(jnp.max(jnp.abs(one - other))),
        steps["zoo"].variables,
        training_step(alone, optimizer, boxes.task_loss, learner, part, key).variables,
    )
    assert max(jax.tree.leaves(moved)) > 1e-3


@pytest.mark.parametrize("branch", ["box", "class"])
def test_first_and_mixed_derivatives_of_the_task_loss_are_finite(
    branch: str, boxes: DetectionTask, classes: DetectionTask
):
    task = boxes if branch == "box" else classes
    _, part = batch(task)
    alphabet = Alphabet(PrimitiveSet(variables=task.view.variables), 16)
    text = {"box": "mul(sub(u, i), abs(e))", "class": "square(sub(x, y))"}[branch]
    genome = jnp.asarray(alphabet.encode(parse(text, alphabet.primitives)))
    bind = interpreted_binding(alphabet, task.view, genome)
    batches = Split(part.inputs[None], part.targets[None])
    settings = BaseOptimizerSettings(learning_rate=1e-3)

    @jax.jit
    def slope(weights: Any) -> Any:
        def judged(weights: Any) -> Any:
            key = jax.random.key(0)
            return meta_loss(
                key, task.model, settings, task.task_loss, bind, batches, part, weights
            )

        return jax.value_and_grad(judged)(weights)

    value, gradient = slope(jnp.ones(15))
    assert np.isfinite(value)
    assert np.all(np.isfinite(gradient))
    assert np.any(gradient)
    # Without the companion the network is judged by one branch alone.
    alone = task.model._replace(companion=None)
    key = jax.random.key(0)
    less = meta_loss(key, alone, settings, task.task_loss, bind, batches, part, jnp.ones(15))
    assert less < value


def test_cse_autoloss_learns_class_losses_of_cells(classes: DetectionTask, goes_on_alike: GoesOn):
    settings = CSEAutoLossSettings(
        population=3,
        generations=3,
        proposals=40,
        parents=3,
        first_rounds=1,
        chunk=3,
        seed_from=("neg(dot(y, log(softmax(x))))",),
        fitness=FitnessSettings(steps=10),
        optimizer=BaseOptimizerSettings(learning_rate=0.01, batch_size=16),
    )
    info = two_generations(cse_autoloss(classes, settings), 40, goes_on_alike)
    assert set(info.dropped) == {
        "archive",
        "not converging",
        "poor in simulation",
        "not finite",
    }


def two_generations(search: Any, candidates: int, goes_on_alike: GoesOn) -> Info:
    state, first = search.step(search.init(jax.random.key(0)))
    assert first.candidates == candidates
    assert first.trained > 0
    assert np.isfinite(first.best_fitness)
    state, _ = search.step(state)
    goes_on_alike(search, state)
    return first


def test_a_detector_learns():
    task = load_task("detection:scenes:count=60", TaskSettings(metric="ap50"))
    settings = BaseOptimizerSettings(learning_rate=0.01, rule="adam")
    variables, _ = jax.jit(
        lambda key: train(key, task.model, settings, task.task_loss, task.train, 120)
    )(jax.random.key(0))
    assert network_score(task, variables, task.train) > 0.15


def test_pair_a_weighs_cells_by_the_overlap_of_the_other_branch(classes: DetectionTask):
    variables, part = batch(classes)
    outputs, _ = classes.model.apply(variables, part.inputs, True, None)
    loss = LearnedLoss(zoo_form("cse_a_class", "cell_classes"), (), "cell_classes")
    gradient = jax.grad(lambda outputs: jnp.sum(loss(outputs, part.targets)))(outputs)
    assert not np.any(gradient[..., -4:])
    # By hand: (1 + sin w) times cross-entropy in each cell; w is 1 where there is no box.
    overlaps = 1 - np.asarray(
        zoo.iou(*[jnp.asarray(side) for side in _corners(outputs, part.targets)])
    )
    there = np.asarray(has_box(outputs, part.targets))
    overlaps = np.where(there, overlaps, 1.0)
    logs = np.asarray(jax.nn.log_softmax(outputs[..., :-4]))
    labels = np.asarray(part.targets)[:, :16, 0].astype(int)
    entropies = -np.take_along_axis(logs, labels[..., None], -1)[..., 0]
    expected = ((1 + np.sin(overlaps)) * entropies).sum(1) / there.sum(1)
    np.testing.assert_allclose(loss(outputs, part.targets), expected, rtol=1e-5)


def _corners(outputs: Any, targets: Any) -> list[Any]:
    both = np.asarray(side_distances(outputs)), np.asarray(targets)[:, :16, 1:]
    return [np.concatenate([-sides[..., :2], sides[..., 2:]], -1) for sides in both]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("scenes:sid=48", "unknown option of detection:scenes 'sid'; valid, nearest first: side"),
        ("scenes:side=big", "side must be a whole number"),
        ("scenes:side=33", "multiple of the stride 8"),
        ("scenes:side=8:stride=4", "side must be 9 to 96 pixels, got 8"),
        ("scenes:side=128", "side must be 9 to 96 pixels, got 128"),
        ("scenes:branch=boxes", "unknown branch 'boxes'; valid, nearest first: box"),
        ("scenes:box_loss=focal", "focal cannot train a task of view cell_boxes"),
        ("scenes:class_loss=focl", "nearest first: focal"),
        ("scenes:count=4", "is empty in the"),
        ("scenes:count=0", r"count=0 leaves 0 scene\(s\) to the train split; at least 1"),
        ("scenes:side=32:side=48", "gives 'side' twice"),
        ("scene", "no such folder; or did you mean scenes"),
    ],
)
def test_options_are_checked(spec: str, message: str):
    with pytest.raises(InvalidInputError, match=message):
        load_task(f"detection:{spec}")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metric": "app"}, "unknown metric of detection 'app'; valid, nearest first: ap"),
        ({"metric": "ap:coco"}, "expected 'ap' or 'ap:pycocotools'"),
        ({"metric": "pinball:0.9"}, "unknown metric of detection 'pinball:0.9'"),
        ({"model": "mlp:10"}, "expected detector, detector:WIDTH or"),
        ({"model": "detector:x"}, "positive whole number"),
        ({"imbalance": 2.0}, "finds objects in images; imbalance is for rows"),
        ({"task_loss": "mse"}, "mse cannot train a task of view cell_boxes"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], message: str):
    with pytest.raises(InvalidInputError, match=message):
        load_task(SPEC, TaskSettings(**settings))


def write_folder(folder: Path, *, whole: bool = False, **changes: Any) -> Path:
    from PIL import Image

    generator = np.random.default_rng(0)
    (folder / "annotations").mkdir(parents=True)
    for name, count in (("train2017", 24), ("val2017", 6)):
        (folder / name).mkdir()
        images, annotations = [], []
        for number in range(count):
            # Of mixed sizes.
            width, height = 40 + 8 * (number % 2), 64
            pixels = generator.integers(0, 255, (height, width, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
            images.append({"id": number, "file_name": f"{number}.png"})
            for category in (3, 8):
                box = [4.0 + category, 8.0, 20.0, 32.0]
                annotations.append(
                    {
                        "id": len(annotations),
                        "image_id": number,
                        "category_id": category,
                        "bbox": box,
                        "iscrowd": 0,
                    }
                )
        annotations[0] |= changes
        content = {
            "images": images,
            "annotations": annotations,
            "categories": [{"id": 8, "name": "cat"}, {"id": 3, "name": "dog"}],
        }
        (folder / f"annotations/instances_{name}.json").write_text(json.dumps(content))
    if whole:
        (folder / "train2017").rename(folder / "images")
        (folder / "annotations/instances_val2017.json").unlink()
        (folder / "annotations/instances_train2017.json").rename(folder / "annotations/all.json")
    return folder


def test_a_coco_folder_is_read_and_its_boxes_scaled(tmp_path: Path):
    folder = write_folder(tmp_path / "coco")
    task = load_task(f"detection:{folder}:side=32", TINY)
    assert isinstance(task, DetectionTask)
    assert task.class_names == ("dog", "cat")
    assert [len(part.inputs) for part in (task.train, task.valid, task.test)] == [18, 6, 6]
    # By hand: 40 x 64 pixels become 32 x 32.
    np.testing.assert_allclose(task.test.targets[0, 16], [0, 7 * 0.8, 4, 27 * 0.8, 20], rtol=1e-6)
    whole = load_task(f"detection:{write_folder(tmp_path / 'one', whole=True)}", TINY)
    assert len(whole.train.inputs) + len(whole.valid.inputs) + len(whole.test.inputs) == 24


@pytest.mark.parametrize("sides", [(0.0, 32.0), (20.0, 0.0)])
def test_boxes_without_area_are_left_out(tmp_path: Path, sides: tuple[float, float]):
    folder = write_folder(tmp_path / "coco", bbox=[7.0, 8.0, *sides])
    first = read_coco(folder, 32).first.annotations
    assert first.classes.tolist() == [[1, -1], *[[0, 1]] * 23]
    # By hand: 12 to 32 of 40 pixels across, 8 to 40 of 64 down.
    np.testing.assert_allclose(first.boxes[0], [[9.6, 4, 25.6, 20], [0] * 4], rtol=1e-6)


@pytest.mark.parametrize(
    ("box", "corners"),
    [
        ([20.0, 24.0, 20.4, 40.0], [16, 12, 32, 32]),
        ([-0.3, -0.5, 20.3, 8.5], [0, 0, 16, 4]),
        ([0.1 + 0.2, 8.0, 39.7, 32.0], [0.24, 4, 32, 20]),
    ],
)
def test_boxes_a_little_beyond_the_edge_are_cut_off(
    tmp_path: Path, box: list[float], corners: list[float]
):
    folder = write_folder(tmp_path / "coco", bbox=box)
    boxes = read_coco(folder, 32).first.annotations.boxes
    np.testing.assert_allclose(boxes[0, 0], corners, rtol=1e-6)
    assert boxes.max() <= 32


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bbox": [30.0, 8.0, 20.0, 32.0]}, r"image '0.png' lies outside of the image of 40x64"),
        ({"bbox": [20.0, 8.0, 20.6, 32.0]}, "lies outside"),
        ({"bbox": [-0.6, 8.0, 20.0, 32.0]}, "lies outside"),
        ({"bbox": [40.1, 8.0, 0.2, 32.0]}, "lies outside"),
        ({"bbox": [7.0, 8.0, -2.0, 32.0]}, "image '0.png' must have a width and a height above 0"),
        ({"bbox": [7.0, math.nan, 2.0, 32.0]}, "lies outside"),
        ({"category_id": 5}, "annotation 0 is of an unknown category"),
        ({"image_id": 99}, "annotation 0 is of an unknown image"),
        ({"bbox": "none"}, "not in COCO's format"),
    ],
)
def test_wrong_annotations_are_named(tmp_path: Path, changes: dict[str, Any], message: str):
    folder = write_folder(tmp_path / "coco", **changes)
    with pytest.raises(InvalidInputError, match=message):
        load_task(f"detection:{folder}")


@pytest.mark.parametrize(
    ("part", "entry"), [("categories", {"id": 3}), ("annotations", "a box"), ("images", {"id": 1})]
)
def test_entries_that_are_not_as_coco_says_are_refused(tmp_path: Path, part: str, entry: Any):
    folder = write_folder(tmp_path / "coco")
    file = folder / "annotations/instances_train2017.json"
    content = json.loads(file.read_text())
    content[part].append(entry)
    file.write_text(json.dumps(content))
    with pytest.raises(InvalidInputError, match="not in COCO's format"):
        read_coco(folder, 32)


def test_missing_images_and_layouts_are_named(tmp_path: Path):
    folder = write_folder(tmp_path / "coco")
    (folder / "train2017/3.png").unlink()
    with pytest.raises(InvalidInputError, match=r"1 of 24 images .* missing .*'3.png'"):
        load_task(f"detection:{folder}")
    (folder / "train2017/3.png").write_text("no image")
    with pytest.raises(InvalidInputError, match="no image that can be read"):
        load_task(f"detection:{folder}")
    with pytest.raises(InvalidInputError, match=r"found 0 \.json"):
        load_task(f"detection:{folder}/train2017")
    with pytest.raises(InvalidInputError, match=r"unknown option of detection:.* 'count'"):
        load_task(f"detection:{folder}:count=3")


def test_a_class_without_an_example_is_named():
    images = [np.zeros((2, 32, 32, 3), np.float32)] * 3
    objects = Annotations(np.zeros((2, 1), int), np.tile([2.0, 2, 20, 20], (2, 1, 1)))
    with pytest.raises(InvalidInputError, match="class 'b' is empty in the train split"):
        detection_task("two", images, [objects] * 3, ("a", "b"))
    outside = Annotations(objects.classes, objects.boxes + 20)
    with pytest.raises(InvalidInputError, match=r"valid: box 1 of image 0, .* lies outside"):
        detection_task("two", images, [objects, outside, objects], ("a",))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda objects: Annotations(objects.classes[:1], objects.boxes[:1]),
            r"valid: expected classes \[2, objects\] .* got shapes \(1, 1\) and \(1, 1, 4\)",
        ),
        (
            lambda objects: objects._replace(boxes=objects.boxes[:, :0]),
            r"got shapes \(2, 1\) and \(2, 0, 4\)",
        ),
        (lambda objects: objects._replace(classes=objects.classes + 7), "number is 7; .* 0 to 0"),
    ],
)
def test_annotations_of_other_images_or_classes_are_refused(change: Any, message: str):
    images = [np.zeros((2, 32, 32, 3), np.float32)] * 3
    objects = Annotations(np.zeros((2, 1), int), np.tile([2.0, 2, 20, 20], (2, 1, 1)))
    with pytest.raises(InvalidInputError, match=message):
        detection_task("one", images, [objects, change(objects), objects], ("a",))


def test_a_pixel_that_is_not_finite_is_refused():
    images = np.zeros((2, 32, 32, 3), np.float32)
    images[1, 3, 4, 0] = np.nan
    objects = Annotations(np.zeros((2, 1), int), np.tile([2.0, 2, 20, 20], (2, 1, 1)))
    with pytest.raises(InvalidInputError, match="train images: nan in data row 2"):
        detection_task("one", [images, images[:1], images[:1]], [objects] * 3, ("a",))


def test_what_the_companion_gains_is_no_merit_of_a_candidate(
    boxes: DetectionTask, classes: DetectionTask
):
    settings = RejectionSettings(steps=30, learning_rate=0.1)
    for task in (boxes, classes):
        variables, part = batch(task, 20)
        outputs, _ = task.model.apply(variables, part.inputs, False, None)

        @jax.jit
        def gains(outputs: Any, part: Split = part, task: DetectionTask = task) -> Any:
            def gain(loss: Any) -> Any:
                return improvement(task, settings, loss, outputs, part.targets)

            return gain(lambda outputs, _: jnp.zeros(len(outputs))), gain(task.task_loss)

        nothing, usual = gains(outputs)
        assert nothing == 0
        assert usual > 0
