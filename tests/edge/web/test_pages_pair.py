"""The live page proves itself: its picture, its mask and the number drawn in it are one frame's."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from page_parts import Page
from stream_parts import drain, process
from web_parts import server

from roadmask.labels.label_set import CATEGORY_COLORS_RGB

# Frame n is one category all over, and one grey: no two of 7 * 30 neighbours look the same.
CODED = """
import sys, time
from roadmask.stream.modes import Flag
from roadmask.stream.protocol import Identity
from roadmask.stream.publish.frame_info import FrameInfo, RingForm, StreamIdentity
from roadmask.stream.publish.heartbeat import Heart
from roadmask.stream.publish.publisher import Publisher
from roadmask.system.clock import now_ns
identity = StreamIdentity(model=Identity("net", b"m" * 32))
form = RingForm(preview_size=(384, 256))
with Publisher(sys.argv[1], mask_size=(384, 256), identity=identity, frame_period_ns=10_000_000,
               max_age_ms=2000, form=form) as publisher, Heart(publisher):
    for n in range(1, 1 << 40):
        slot = publisher.begin()
        slot.mask[:], slot.preview[:] = 1 + n % 7, 8 * (n % 30)
        publisher.publish(FrameInfo(now_ns(), (960, 640), scale=(2.5, 2.5), offset=(0.75, 0.75),
                                    flags=Flag.SYNTHETIC), sequence=n)
        if n == 1:
            print("ready", flush=True)
        time.sleep(0.01)
"""
# Everything at one moment: between two tasks of the page nothing of it changes.
LOOK = """(() => {
  const canvas = document.querySelector('#picture');
  const at = canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 3, 1, 1);
  return [Number(canvas.dataset.sequence ?? 0), ...at.data.slice(0, 3)];
})()"""
# What was drawn in the corner, beside the same words drawn by this test.
MARK = """(async () => {
  const { drawMark } = await import('/static/watermark.js');
  const canvas = document.querySelector('#picture');
  const [x, y, width, height] = canvas.dataset.markPlace.split(' ').map(Number);
  const read = (from) => from.getContext('2d').getImageData(x, y, width, height).data.join();
  const drawn = read(canvas);
  const words = canvas.dataset.mark;
  const own = canvas.cloneNode();
  Object.assign(own.style, { position: 'fixed', width: `${canvas.clientWidth}px`,
    height: `${canvas.clientHeight}px` });
  canvas.after(own);
  drawMark(own, words);
  const same = read(own) === drawn;
  drawMark(own, words.replace(/.Z/, (end) => (end === '1Z' ? '2Z' : '1Z')));
  const another = read(own) !== drawn;
  own.remove();
  return [words, same, another];
})()"""


def test_picture_mask_and_number_are_one_frames(chromium: Any, tmp_path: Path) -> None:
    socket = tmp_path / "masks.sock"
    with process(CODED, socket) as publisher, server("--socket", socket) as (base, _):
        assert publisher.stdout is not None
        assert publisher.stdout.readline().strip() == "ready"
        drain(publisher)
        page = Page(chromium, base).size(1280, 720).open("/ui/live")
        page.until("document.querySelector('#picture').dataset.sequence")
        seen: dict[int, tuple[int, ...]] = {}

        def look() -> bool:
            sequence, *rgb = page.js(LOOK)
            seen[sequence] = tuple(rgb)
            return len(seen) >= 40

        page.wait(look, "forty frames")
        for sequence, rgb in seen.items():
            colour = CATEGORY_COLORS_RGB[1 + sequence % 7]
            wanted = (colour.astype(int) + 8 * (sequence % 30)) / 2
            assert abs(wanted - rgb).max() <= 3, (sequence, rgb, wanted)
        page.element("#pause").click()
        words, same, another = page.js(MARK)
        assert same and another
        number, when = re.fullmatch(r"#(\d+) (.+)Z", words).groups()  # type: ignore[union-attr]
        assert int(number) == page.js(LOOK)[0]
        age = datetime.now(timezone.utc) - datetime.fromisoformat(when).replace(tzinfo=timezone.utc)
        assert 0 <= age.total_seconds() < 60
        page.open("about:blank").complaints()  # of reading the canvas so often
