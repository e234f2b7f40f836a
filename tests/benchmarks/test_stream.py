from __future__ import annotations

import pytest

from benchmarks.stream.faults import LIMITS_MS, measure_faults
from benchmarks.stream.measure import StreamPlan, measure_stream, stream_table


@pytest.mark.slow
def test_a_small_measurement_fills_every_key() -> None:
    pytest.importorskip("zmq")
    plan = StreamPlan(
        subscribers=(2,),
        rates_hz=(60,),
        sizes_kib=(128,),
        languages=("python",),
        seconds=0.2,
        rounds=1,
    )
    result = measure_stream(plan)
    (case,) = result["cases"]
    assert (case["subscribers"], case["frames"]) == (2, 12)
    for transport in ("roadmask", "zeromq"):
        found = case[transport]
        assert found["publish_us"]["p50"] > 0
        assert found["publisher_cpu_us"] >= 0
        assert 0 <= found["received"] <= 1
    assert set(case["ratio"]) == {"latency_p50", "publisher_cpu", "publish_p50"}
    assert "128 KiB 60 Hz python x2 roadmask" in stream_table(result)


@pytest.mark.slow
def test_every_fault_is_noticed_by_both_readers() -> None:
    result = measure_faults(2)
    names = [f"{language}_{name}_ms" for language in ("python", "cpp") for name in LIMITS_MS]
    assert len(names) == 6
    for name in names:
        assert 0 < result[name]["p50"] <= result[name]["max"]
