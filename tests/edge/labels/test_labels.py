from pathlib import Path

import numpy as np
import pytest

from roadmask.errors import ConfigError
from roadmask.labels.catalogue import CAMVID_11, CITYSCAPES_8, CITYSCAPES_19, CITYSCAPES_34
from roadmask.labels.label_set import CATEGORY_NAMES
from roadmask.labels.lookup import label_set


def categories(names: str) -> list[int]:
    return [CATEGORY_NAMES.index(name) for name in names.split()]


def test_cityscapes_8_is_the_identity() -> None:
    assert list(CITYSCAPES_8.category_table[:9]) == [0, 1, 2, 3, 4, 5, 6, 7, 0]
    assert CITYSCAPES_8.first_competing == 1  # void never wins an argmax


def test_cityscapes_19_train_ids_map_in_the_published_order() -> None:
    expected = categories(
        "flat flat construction construction construction object object object nature nature sky "
        "human human vehicle vehicle vehicle vehicle vehicle vehicle"
    )
    assert list(CITYSCAPES_19.category_table[:19]) == expected
    assert CITYSCAPES_19.class_count == 19
    assert CITYSCAPES_19.first_competing == 0


def test_ignored_cityscapes_labels_are_void_as_truth_only() -> None:
    # parking 9, rail track 10, guard rail 14, bridge 15, tunnel 16, polegroup 18, caravan 29,
    # trailer 30 have a category and are left out of the official scores.
    for label_id, name in ((9, "flat"), (14, "construction"), (18, "object"), (29, "vehicle")):
        assert CITYSCAPES_34.category_table[label_id] == CATEGORY_NAMES.index(name)
        assert CITYSCAPES_34.truth_table[label_id] == 0
    assert CITYSCAPES_34.truth_table[7] == CATEGORY_NAMES.index("flat")


def test_camvid_bicyclists_are_human() -> None:
    expected = categories(
        "sky construction object flat flat nature object construction vehicle human human void"
    )
    assert list(CAMVID_11.category_table[:12]) == expected


def test_unknown_set_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean cityscapes-19"):
        label_set("cityscapes-91")


def test_own_label_file(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        'name = "own"\n[[class]]\nid = 0\nname = "lane"\ncategory = "flat"\n'
        '[[class]]\nid = 3\nname = "cow"\ncategory = "nature"\nignored = true\n'
    )
    own = label_set(str(path))
    assert (own.name, own.class_count) == ("own", 4)
    assert list(own.category_table[:4]) == [1, 0, 0, 4]
    assert own.truth_table[3] == 0


def test_tables_between_sets() -> None:
    to_19 = CITYSCAPES_19.table_from(CITYSCAPES_34)
    assert list(to_19[[7, 8, 33, 9, 0, 255]]) == [0, 1, 18, 255, 255, 255]
    np.testing.assert_array_equal(CITYSCAPES_8.table_from(CITYSCAPES_34), CITYSCAPES_34.truth_table)
    # CamVid's Pavement and Bicyclist are Cityscapes' sidewalk and rider.
    assert list(CITYSCAPES_19.table_from(CAMVID_11)[[3, 4, 10, 11]]) == [0, 1, 12, 255]
    own = CITYSCAPES_34.table_from(CITYSCAPES_34)
    assert list(own[[7, 9]]) == [7, 255]  # parking is ignored
    assert CITYSCAPES_34.class_count == 34


def test_the_evaluated_classes() -> None:
    assert [len(s.scored) for s in (CITYSCAPES_8, CITYSCAPES_19, CITYSCAPES_34)] == [7, 19, 19]
    assert CITYSCAPES_8.void_id == 0
    assert CITYSCAPES_19.void_id == 255


@pytest.mark.parametrize(
    "text",
    [
        "not toml at all [",
        'name = "x"',
        'name = "x"\n[[class]]\nid = 0\nname = "a"\ncategory = "street"',
        'name = "x"\n[[class]]\nid = 300\nname = "a"\ncategory = "flat"',
        'name = "x"\n[[class]]\nid = 1\nname = "a"\ncategory = "flat"\n'
        '[[class]]\nid = 1\nname = "b"\ncategory = "flat"',
        'name = "cityscapes-8"\n[[class]]\nid = 0\nname = "a"\ncategory = "flat"',
        'name = "x"\n[[class]]\nid = 0\nname = "a"\ncategory = "flat"\ncolour = "red"',
        'name = "x"\n[[class]]\nid = 0\nname = "a"\ncategory = "flat"\nignored = true',
        'name = "x"\n[[class]]\nid = 0\ncategory = "flat"',
        'name = "x"\nclass = [1]',
        'name = "x"\ncolour = 1\n[[class]]\nid = 0\nname = "a"\ncategory = "flat"',
    ],
)
def test_bad_label_file_is_a_config_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"bad\.toml"):
        label_set(path)
