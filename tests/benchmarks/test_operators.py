from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.model.operators import CAST, by_type, measure_operators, parse_summary

_SUMMARY = """
========================= Run Order =========================
        [node type]  [start] [first] [avg ms]     [%]  [cdf%] [mem KB] [times called] [Name]
           QUANTIZE    0.000   0.409    0.389   7.848%  7.848%   0.000             20 [Builtin]:0
 Delegate/Conv (A, B) IGEMM  0.000  0.356  0.396  7.998%  15.8%  0.000            20 [Delegate]:0
 Delegate/Conv (A, B) IGEMM  0.000  0.275  0.274  5.537%  21.4%  0.000            20 [Delegate]:1

================= Top by Computation Time =================
 Delegate/Conv (A, B) IGEMM  0.000  0.356  0.396  7.998%  15.8%  0.000            20 [Delegate]:0
"""


def test_the_run_order_is_read() -> None:
    rows = parse_summary(_SUMMARY)
    assert [row["operator"] for row in rows] == [
        "QUANTIZE",
        "Conv (A, B) IGEMM",
        "Conv (A, B) IGEMM",
    ]
    assert [row["delegate"] for row in rows] == [False, True, True]
    assert by_type(rows)[0] == {
        "operator": "Conv (A, B) IGEMM", "count": 2, "ms": 0.67, "share": 0.1353,
    }  # fmt: skip
    assert parse_summary("nothing") == []


def test_a_real_model_is_profiled(int8_file: Path) -> None:
    rows = measure_operators(int8_file, 3)
    if rows is None:
        pytest.skip("this LiteRT has no profiler that can be reached")
    # As the engine runs it: its own kernel converts the pixels, in a fraction of QUANTIZE's time.
    assert rows[0]["operator"] == CAST and rows[0]["ms"] > 0
    assert "QUANTIZE" not in [row["operator"] for row in rows]
    assert sum("Convolution" in row["operator"] for row in rows) > 5
    assert sum(row["share"] for row in rows) == pytest.approx(1, abs=0.01)


def test_what_is_no_model_has_no_profile(tmp_path: Path) -> None:
    assert measure_operators(tmp_path / "none.tflite") is None
