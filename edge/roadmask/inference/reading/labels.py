"""The label set: of the command, of our block, or of a label file that travels with the model."""

from __future__ import annotations

from roadmask.errors import ConfigError
from roadmask.inference.model_file import ModelInfo
from roadmask.inference.reading.problem import UnsettledError
from roadmask.inference.reading.standard import StandardMetadata
from roadmask.labels.catalogue import LABEL_SETS
from roadmask.labels.label_set import LabelClass, LabelSet
from roadmask.labels.lookup import label_set

_LABELS = "--labels"
_GIVE = f"give {_LABELS} ({', '.join(LABEL_SETS)} or a .toml file)"
_NOTHING = {"background", "void", "unlabeled", "unlabelled", "ignore", "other", "unknown", "???"}


def read_labels(
    labels: str | LabelSet | None, info: ModelInfo | None, standard: StandardMetadata
) -> LabelSet:
    """The label set of a network's output.

    Raises:
        ConfigError: the command names none that there is.
        UnsettledError: nothing names one.
    """
    if isinstance(labels, LabelSet):
        return labels
    if labels:
        return label_set(labels)
    if info is not None:
        try:
            return label_set(info.labels)
        except ConfigError as error:
            raise UnsettledError(
                f"its label set {info.labels!r} is not here: {_GIVE}", _LABELS
            ) from error
    named = [names for names in standard.labels if names]
    if len(named) == 1:
        return set_of_names(named[0])
    raise UnsettledError(f"it does not name its label set: {_GIVE}", _LABELS)


def set_of_names(names: tuple[str, ...]) -> LabelSet:
    """The published set that has these classes in this order, else one of their categories.

    Raises:
        UnsettledError: a class that no published set has.
    """
    plain = [_plain(name) for name in names]
    for known in LABEL_SETS.values():
        ids = [c.class_id for c in known.classes[: len(names)]]
        if [_plain(c.name) for c in known.classes[: len(names)]] == plain and ids == list(
            range(len(names))
        ):
            return known
    categories = _categories()
    strange = [name for name, key in zip(names, plain, strict=True) if key not in categories]
    if strange or len(set(plain)) != len(plain) or len(names) > 255:
        raise UnsettledError(
            f"its label file names {len(names)} classes, some of which are in no label set here "
            f"({', '.join(strange[:3]) or 'some twice'}): {_GIVE}",
            _LABELS,
        )
    return LabelSet(
        "of the model file",
        tuple(
            LabelClass(i, name, categories[key])
            for i, (name, key) in enumerate(zip(names, plain, strict=True))
        ),
    )


def _categories() -> dict[str, int]:
    known = {_plain(c.name): c.category for s in LABEL_SETS.values() for c in s.classes}
    return known | dict.fromkeys(_NOTHING, 0)


def _plain(name: str) -> str:
    return name.casefold().replace("_", " ").strip()
