"""Whether the server says that it is held up."""

from __future__ import annotations

import threading

import pytest
from fastapi.testclient import TestClient

from roadmask.web.app import create_app
from roadmask.web.networks import registry
from roadmask.web.settings import ServeConfig


def test_a_picture_that_holds_a_model_up_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_STUCK_S", 0.0)
    app = create_app(ServeConfig(socket="/nonexistent/s"))
    (network,) = app.state.server.networks.local.values()
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        go_on.wait()

    with TestClient(app, base_url="http://127.0.0.1") as client:
        assert client.get("/readyz").status_code == 200
        done = network.worker._thread.submit(network.worker._timed, slow)
        begun.wait()
        answer = client.get("/readyz")
        assert answer.status_code == 503 and "busy with one picture" in answer.json()["detail"]
        assert int(answer.headers["retry-after"]) >= 1
        go_on.set()
        done.result()
        assert client.get("/readyz").status_code == 200
