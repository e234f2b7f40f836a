"""Label sets as data: what a class id means, its colour, and the category it belongs to.

Ids, names and colours of the Cityscapes sets are those of its published label table
(Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", 2016).
"""

from __future__ import annotations

from typing import Any

from roadmask.labels.label_set import CATEGORY_NAMES, LabelClass, LabelSet


def _classes(*rows: tuple[Any, ...]) -> tuple[LabelClass, ...]:
    return tuple(LabelClass(*row) for row in rows)


CITYSCAPES_8 = LabelSet(
    "cityscapes-8",
    tuple(
        LabelClass(i, name, i, instances=name in ("human", "vehicle"))
        for i, name in enumerate(CATEGORY_NAMES)
    ),
)

# label id, name, category, mean size of an object in px; the row number is the train id. The sizes
# are those of the official evaluation (evalPixelLevelSemanticLabeling.py), rounded as there.
_CITYSCAPES_EVALUATED: tuple[tuple[int, str, int, float], ...] = (
    (7, "road", 1, 0),
    (8, "sidewalk", 1, 0),
    (11, "building", 2, 0),
    (12, "wall", 2, 0),
    (13, "fence", 2, 0),
    (17, "pole", 3, 0),
    (19, "traffic light", 3, 0),
    (20, "traffic sign", 3, 0),
    (21, "vegetation", 4, 0),
    (22, "terrain", 4, 0),
    (23, "sky", 5, 0),
    (24, "person", 6, 3462.4756337644),
    (25, "rider", 6, 3930.4788056518),
    (26, "car", 7, 12794.0202738185),
    (27, "truck", 7, 27855.1264367816),
    (28, "bus", 7, 35732.1511111111),
    (31, "train", 7, 67583.7075812274),
    (32, "motorcycle", 7, 6298.7200839748),
    (33, "bicycle", 7, 4672.3249222261),
)
# CamVid's names of what Cityscapes calls otherwise.
_CAMVID_NAMES = {
    "sidewalk": "Pavement",
    "traffic sign": "SignSymbol",
    "vegetation": "Tree",
    "person": "Pedestrian",
    "rider": "Bicyclist",
}
CITYSCAPES_19 = LabelSet(
    "cityscapes-19",
    tuple(
        LabelClass(
            train_id,
            name,
            category,
            instances=size > 0,
            sources=(name, _CAMVID_NAMES[name]) if name in _CAMVID_NAMES else (),
            mean_instance_px=size,
        )
        for train_id, (_, name, category, size) in enumerate(_CITYSCAPES_EVALUATED)
    ),
)
CITYSCAPES_34 = LabelSet(
    "cityscapes-34",
    tuple(
        sorted(
            _classes(
                (0, "unlabeled", 0, True),
                (1, "ego vehicle", 0, True),
                (2, "rectification border", 0, True),
                (3, "out of roi", 0, True),
                (4, "static", 0, True),
                (5, "dynamic", 0, True),
                (6, "ground", 0, True),
                (9, "parking", 1, True),
                (10, "rail track", 1, True),
                (14, "guard rail", 2, True),
                (15, "bridge", 2, True),
                (16, "tunnel", 2, True),
                (18, "polegroup", 3, True),
                (29, "caravan", 7, True, True, (), 36771.8241758242),
                (30, "trailer", 7, True, True, (), 16926.9763313609),
                # The table's -1, as the one byte of a labelIds file holds it.
                (255, "license plate", 7, True),
            )
            + tuple(
                LabelClass(label_id, name, category, instances=size > 0, mean_instance_px=size)
                for label_id, name, category, size in _CITYSCAPES_EVALUATED
            ),
            key=lambda c: c.class_id,
        )
    ),
)
CAMVID_11 = LabelSet(
    "camvid-11",
    _classes(
        (0, "Sky", 5),
        (1, "Building", 2),
        (2, "Pole", 3),
        (3, "Road", 1),
        (4, "Pavement", 1),
        (5, "Tree", 4),
        (6, "SignSymbol", 3),
        (7, "Fence", 2),
        (8, "Car", 7),
        (9, "Pedestrian", 6),
        (10, "Bicyclist", 6),
        (11, "Unlabelled", 0, True),
    ),
)
LABEL_SETS = {s.name: s for s in (CITYSCAPES_8, CITYSCAPES_19, CITYSCAPES_34, CAMVID_11)}
