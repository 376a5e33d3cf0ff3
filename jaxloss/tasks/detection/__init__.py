"""Detection of objects: images with boxes and classes, a small detector, COCO's scores."""

from jaxloss.tasks.detection.cells import Annotations, as_targets, cell_centres
from jaxloss.tasks.detection.coco import read_coco
from jaxloss.tasks.detection.coco_scores import pycocotools_scores
from jaxloss.tasks.detection.registry import load_detection
from jaxloss.tasks.detection.scores import Detections, average_precision, found
from jaxloss.tasks.detection.task import DetectionSettings, DetectionTask, detection_task

__all__ = [
    "Annotations",
    "DetectionSettings",
    "DetectionTask",
    "Detections",
    "as_targets",
    "average_precision",
    "cell_centres",
    "detection_task",
    "found",
    "load_detection",
    "pycocotools_scores",
    "read_coco",
]
