"""The mode that the live page shows, from what it knows: every case, in the browser itself."""

from __future__ import annotations

from typing import Any

import pytest
from page_parts import Page

FRESH = {"running": 0, "wall": 0}  # milliseconds ago
SLEPT = {"running": 0, "wall": 3_600_000}  # the lid was closed for an hour
SET_BACK = {"running": 5000, "wall": -86_400_000}  # the clock was set back by a day
OK = {
    "connected": True,
    "state": "OK",
    "reasons": [],
    "why": None,
    "max_age_ms": 250,
}
HOT = OK | {"state": "DEGRADED", "reasons": [{"name": "THERMAL", "text": "hot"}]}
FAULT = OK | {"state": "FAULT", "reasons": [{"name": "CAMERA_LOST", "text": "gone"}]}
NOBODY = OK | {"connected": False, "state": "NONE", "why": "no publisher"}
CALL = """
const [known, done] = arguments;
const ago = ({running, wall}) => ({running: performance.now() - running, wall: Date.now() - wall});
const SERVER_MS = 1e6;
const modules = ['judge', 'clock'].map((name) => import(`/static/${name}.js`));
Promise.all(modules).then(([{judge}, {ServerClock}]) => {
  // What is judged is one moment, however long the machine takes for it.
  const moment = [performance.now(), Date.now()];
  const at = ([running, wall]) => {
    performance.now = () => running;
    Date.now = () => wall;
  };
  at(moment);
  if (known.heard) known.heard = ago(known.heard);
  known.clock = new ServerClock();
  if (known.asked) {
    const left = ago(known.asked);
    at([left.running, left.wall]);
    const number = known.clock.ask();
    at(moment);
    known.clock.answer(number, SERVER_MS);
  }
  if (known.frame) known.frame = {info: {capture_ms: SERVER_MS - known.frame.age_ms}};
  if (known.status) known.status.sent_ms = SERVER_MS - (known.status.old_ms ?? 0);
  done(judge(known));
});
"""


def frame(age_ms: float = 20) -> dict[str, Any]:
    """A picture that was so old when the page asked for the server's time."""
    return {"age_ms": age_ms}


def known(**changes: Any) -> dict[str, Any]:
    """A page on a stream that is well."""
    good = {"open": True, "linkText": "", "paused": False, "heard": FRESH, "status": OK}
    return {**good, "asked": FRESH, "frame": frame(), **changes}


@pytest.mark.parametrize(
    ("state", "mode", "said"),
    [
        (known(), "OK", ""),
        (known(status=HOT), "DEGRADED", "hot"),
        (known(status=FAULT), "FAULT", "gone"),
        (known(status=FAULT, frame=None), "FAULT", "gone"),
        (known(status=NOBODY), "STALE", "no publisher"),
        (known(status=NOBODY, frame=None), "NONE", "no publisher"),
        (known(frame=None), "NONE", "first picture"),
        (known(frame=frame(age_ms=150)), "OK", ""),
        (known(frame=frame(age_ms=240)), "STALE", "no new picture"),  # before it is painted
        (known(asked={"running": 600, "wall": 600}), "STALE", "too slow"),
        (known(asked=SET_BACK), "STALE", "no new picture"),
        (known(asked=SLEPT), "STALE", "no new picture"),
        (known(asked=None), "STALE", "Measuring"),
        (known(status=OK | {"old_ms": 1501}), "STALE", "too slow"),
        (known(broken="It cannot be decoded."), "OK", "It cannot be decoded."),
        (known(heard=SLEPT), "STALE", "says nothing"),
        (known(heard={"running": 1600, "wall": 1600}), "STALE", "says nothing"),
        (known(open=False, linkText="It is lost."), "STALE", "It is lost."),
        (known(open=False, heard=None, frame=None), "NONE", "Connecting"),
        (known(paused=True), "PAUSED", "takes no frames"),
    ],
)
def test_mode(page: Page, state: dict[str, Any], mode: str, said: str) -> None:
    page.open("/static/judge.js")
    verdict = page.driver.execute_async_script(CALL, state)
    assert verdict["mode"] == mode
    assert said in " ".join(verdict["reasons"]) and bool(said) == bool(verdict["reasons"])
    assert verdict["usable"] == (mode in ("OK", "DEGRADED"))
    assert bool(verdict["band"]) == (not verdict["usable"] and state["frame"] is not None)
