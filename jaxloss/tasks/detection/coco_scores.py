"""COCO's average precision by pycocotools itself, on the host (extra ``detection``).

https://github.com/cocodataset/cocoapi
"""

import contextlib
import io
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from jaxloss.errors import InvalidInputError
from jaxloss.tasks.detection.scores import Detections, found

_PLACES = {"ap": 0, "ap50": 1, "ap75": 2}
"""Where pycocotools keeps each score."""


def pycocotools_scores(
    detections: Detections, targets: Float[np.ndarray, "images objects 5"], classes: int
) -> dict[str, float]:
    """Lets pycocotools judge detections.

    Args:
        detections: numpy arrays, or what converts to them.
        targets: class, -1 for none, and box of each object.
        classes: how many there are.

    Returns:
        ``ap``, ``ap50`` and ``ap75``, 0 to 1.

    Raises:
        InvalidInputError: pycocotools is not installed.
    """
    coco, evaluation = _pycocotools()
    boxes, labels, scores, kept = (np.asarray(part) for part in detections)
    truth = coco()
    objects = [
        _annotation(image, float(row[0]), row[1:]) | {"area": float(np.prod(row[3:] - row[1:3]))}
        for image, rows in enumerate(np.asarray(targets, float))
        for row in rows
        if row[0] >= 0
    ]
    truth.dataset = {
        "images": [{"id": image + 1} for image in range(len(targets))],
        "categories": [{"id": number + 1} for number in range(classes)],
        "annotations": [
            one | {"id": number + 1, "iscrowd": 0} for number, one in enumerate(objects)
        ],
    }
    results = [
        _annotation(image, float(labels[image, place]), boxes[image, place].astype(float))
        | {"score": float(scores[image, place])}
        for image, place in zip(*np.nonzero(kept), strict=True)
    ]
    if not results:
        return dict.fromkeys(_PLACES, 0.0)
    # It prints as it goes.
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        judged = evaluation(truth, truth.loadRes(results), "bbox")
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    return {name: float(judged.stats[place]) for name, place in _PLACES.items()}


def _pycocotools() -> tuple[Any, Any]:
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise InvalidInputError(
            "metrics by pycocotools need it installed: pip install 'jaxloss[detection]'; ap, ap50 "
            "and ap75 do without"
        ) from error
    return COCO, COCOeval


def _annotation(image: int, label: float, box: np.ndarray) -> dict[str, Any]:
    x1, y1, x2, y2 = box.tolist()
    return {
        "image_id": int(image) + 1,
        "category_id": int(label) + 1,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
    }


def on_host(name: str) -> Callable[[Array, Array], Array]:
    """Makes a score that a compiled program calls pycocotools for.

    Raises:
        InvalidInputError: pycocotools is not installed.
    """
    _pycocotools()

    def score(
        predictions: Float[Array, "images cells numbers"], targets: Float[Array, "images rows 5"]
    ) -> Float[Array, ""]:
        objects, classes = targets[:, predictions.shape[1] :], predictions.shape[-1] - 4

        def call(detections: Detections, objects: Any) -> np.ndarray:
            value = pycocotools_scores(detections, np.asarray(objects), classes)[name]
            return np.asarray(value if value >= 0 else np.nan, predictions.dtype)

        shape = jax.ShapeDtypeStruct((), predictions.dtype)
        return jax.pure_callback(call, shape, found(predictions), objects, vmap_method="sequential")

    return score
