from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from daemon_parts import daemon

from roadmask.daemon.config import DaemonConfig
from roadmask.stream.subscribe.subscriber import Subscriber


def test_the_daemon_claims_nothing_where_it_is_unsure(tmp_path: Path) -> None:
    config = DaemonConfig(
        source="synthetic:town?seed=1&width=320&height=240&prerender=4",
        model="s",
        socket=str(tmp_path / "masks.sock"),
        max_age_ms=5000,  # the machine under test may be busy
        confidence=True,
        abstain=0.9,
    )
    with (
        daemon(config),
        Subscriber(config.socket, max_age_ms=5000, allow_not_live=True) as subscriber,
    ):
        mask = subscriber.receive(timeout_s=60)
        assert mask is not None, subscriber.reason_text
        assert mask.confidence is not None
        unsure = np.array(mask.confidence) < np.ceil(0.9 * 255)
        void = np.array(mask.pixels) == 0
        np.testing.assert_array_equal(void, unsure)
        assert 0.01 < void.mean() < 0.9
        assert mask.shares[0] == pytest.approx(void.mean(), abs=0.001)
