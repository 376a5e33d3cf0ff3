"""What the losses of the zoo take: every kind of inputs."""

from jaxloss.losses.zoo import draws
from jaxloss.losses.zoo.inputs import Argument, InputKind

_ANY, _ROWS, _CLASSES, _ITEMS = "[...]", "[..., features]", "[..., classes]", "[..., items]"
_MAPS, _BATCH, _BATCH_ROWS = "[..., height, width]", "[batch]", "[batch, features]"
_LATENTS = "[..., latents]"
_ANCHORS = "[classes, features]"

_REAL = "real numbers, as the model gives them"
_RAW = "raw scores, before any sigmoid or softmax"
_SIGMOID = "raw logits: the loss applies the sigmoid itself"
_SOFTMAX = "raw logits: the loss applies softmax itself"
_LOGARITHMS = "log probabilities, after log-softmax"
_EMBEDDINGS = "embeddings: real vectors"

_CLASS_NUMBERS = Argument("classes", _ANY, draws.classes)
_LOGITS = Argument("logits", _CLASSES, draws.logits, True)
_ONE_HOT = Argument("labels, one-hot or soft", _CLASSES, draws.one_hot)
_LOG_PROBABILITIES = Argument("log probabilities", _CLASSES, draws.log_probabilities, True)
_SCORES = Argument("scores", _ANY, draws.numbers, True)
_DATA_SCORES = Argument("scores of data", _ANY, draws.numbers, True)
_SAMPLE_SCORES = Argument("scores of samples", _ANY, draws.numbers, True)

_KINDS = (
    InputKind(
        "real",
        (
            Argument("predictions", _ANY, draws.numbers, True),
            Argument("targets", _ANY, draws.numbers),
        ),
        _REAL,
        gives="element",
    ),
    InputKind(
        "nonnegative",
        (
            Argument("predictions, at least 0", _ANY, draws.nonnegative, True),
            Argument("targets, at least 0", _ANY, draws.nonnegative),
        ),
        "real numbers of at least 0",
        gives="element",
    ),
    InputKind(
        "score",
        (_SCORES, Argument("targets, -1 or 1", _ANY, draws.signs)),
        _RAW,
        gives="element",
    ),
    InputKind(
        "logit",
        (
            Argument("logits of label 1", _ANY, draws.numbers, True),
            Argument("labels, 0 to 1", _ANY, draws.bits),
        ),
        _SIGMOID,
        gives="element",
    ),
    InputKind(
        "probability",
        (
            Argument("probabilities of label 1", _ANY, draws.fractions, True),
            Argument("labels, 0 or 1", _ANY, draws.bits),
        ),
        "probabilities, after a sigmoid",
        gives="element",
    ),
    InputKind(
        "vectors",
        (
            Argument("predictions", _ROWS, draws.rows, True),
            Argument("targets", _ROWS, draws.rows),
        ),
        _REAL,
    ),
    InputKind(
        "nonnegative_vectors",
        (
            Argument("predictions, at least 0", _ROWS, draws.nonnegative_rows, True),
            Argument("targets, at least 0", _ROWS, draws.nonnegative_rows),
        ),
        "real numbers of at least 0",
    ),
    InputKind("logits", (_LOGITS, _ONE_HOT), _SOFTMAX),
    InputKind("logits_and_classes", (_LOGITS, _CLASS_NUMBERS), _SOFTMAX),
    InputKind(
        "log_probabilities",
        (_LOG_PROBABILITIES, Argument("probabilities", _CLASSES, draws.distributions)),
        _LOGARITHMS,
    ),
    InputKind("log_probabilities_and_classes", (_LOG_PROBABILITIES, _CLASS_NUMBERS), _LOGARITHMS),
    InputKind(
        "energies",
        (
            Argument("energies, low for likely answers", "[..., answers]", draws.logits, True),
            Argument("right answers, one-hot", "[..., answers]", draws.one_hot),
        ),
        "energies: raw logits with the sign turned round",
    ),
    InputKind(
        "detections",
        (_LOGITS, _ONE_HOT, Argument("overlaps with the target box", _ANY, draws.fractions)),
        "raw logits: the loss applies softmax or sigmoid itself",
    ),
    InputKind(
        "boxes",
        (
            Argument("boxes as x1, y1, x2, y2", "[..., 4]", draws.boxes, True),
            Argument("target boxes", "[..., 4]", draws.boxes),
        ),
        "corners of boxes, in one unit",
    ),
    InputKind(
        "mask",
        (
            Argument("logits of the foreground", _MAPS, draws.maps, True),
            Argument("masks, 0 to 1", _MAPS, draws.masks),
        ),
        _SIGMOID,
    ),
    InputKind(
        "pair",
        (
            _SCORES,
            _SCORES,
            Argument("order: 1 if the first ranks higher, else -1", _ANY, draws.signs),
        ),
        _RAW,
        gives="element",
    ),
    InputKind(
        "pair_probability",
        (
            _SCORES,
            _SCORES,
            Argument("probability that the first ranks higher", _ANY, draws.fractions),
        ),
        _RAW,
        gives="element",
    ),
    InputKind(
        "list",
        (
            Argument("scores", _ITEMS, draws.logits, True),
            Argument("relevances, at least 0", _ITEMS, draws.one_hot),
        ),
        _RAW,
    ),
    InputKind(
        "embedding_pair",
        (
            Argument("embeddings", _ROWS, draws.rows, True),
            Argument("embeddings", _ROWS, draws.rows, True),
            Argument("1 for two of a kind, else 0", _ANY, draws.bits),
        ),
        _EMBEDDINGS,
    ),
    InputKind(
        "triplet",
        (
            Argument("anchors", _ROWS, draws.rows, True),
            Argument("embeddings of the same kind", _ROWS, draws.rows, True),
            Argument("embeddings of another kind", _ROWS, draws.rows, True),
        ),
        _EMBEDDINGS,
    ),
    InputKind(
        "positive_pairs",
        (
            Argument("embeddings", _BATCH_ROWS, draws.rows, True),
            Argument("embeddings of the same kind", _BATCH_ROWS, draws.rows, True),
        ),
        _EMBEDDINGS,
    ),
    InputKind(
        "labelled",
        (
            Argument("embeddings", _BATCH_ROWS, draws.rows, True),
            Argument("classes", _BATCH, draws.classes),
        ),
        _EMBEDDINGS,
        "all",
    ),
    InputKind(
        "anchored",
        (
            Argument("embeddings", _BATCH_ROWS, draws.rows, True),
            Argument("classes", _BATCH, draws.classes),
            Argument("class anchors", _ANCHORS, draws.anchors, True),
        ),
        _EMBEDDINGS,
    ),
    InputKind(
        "anchors", (Argument("class anchors", _ANCHORS, draws.anchors, True),), _EMBEDDINGS, "all"
    ),
    InputKind("critic", (_DATA_SCORES, _SAMPLE_SCORES), _RAW, gives="element"),
    InputKind("samples", (_SAMPLE_SCORES,), _RAW, gives="element"),
    InputKind(
        "critic_and_slopes",
        (
            _DATA_SCORES,
            _SAMPLE_SCORES,
            Argument("gradients of the critic between data and samples", _ROWS, draws.rows, True),
        ),
        _RAW,
    ),
    InputKind(
        "autoencoder",
        (
            Argument("reconstructions", _ROWS, draws.rows, True),
            Argument("data", _ROWS, draws.rows),
            Argument("means of the latents", _LATENTS, draws.rows, True),
            Argument("log variances of the latents", _LATENTS, draws.rows, True),
        ),
        _REAL,
    ),
    InputKind(
        "noised",
        (
            Argument("estimated scores", _ROWS, draws.rows, True),
            Argument("standard normal noise", _ROWS, draws.rows),
            Argument("noise levels, above 0", "[..., 1]", draws.spreads),
        ),
        _REAL,
    ),
    InputKind(
        "flow",
        (
            Argument("latents", _ROWS, draws.rows, True),
            Argument("log determinants of the way to them", _ANY, draws.numbers, True),
        ),
        _REAL,
    ),
)

KINDS = {kind.name: kind for kind in _KINDS}
"""Every kind of inputs by name."""
