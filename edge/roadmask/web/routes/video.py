"""``POST /predict/video``: a short video, segmented frame by frame as it is read."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import numpy as np
from fastapi import APIRouter, Request, Response

from roadmask.arrays import U8
from roadmask.web.live.frame import pack_frame
from roadmask.web.networks.local import Picture
from roadmask.web.networks.outcome import Outcome
from roadmask.web.problems import ProblemError, busy
from roadmask.web.routes.predict import FILE, UPLOAD_PROBLEMS, ModelName, files, uploaded
from roadmask.web.state import State
from roadmask.web.streamed import Streamed
from roadmask.web.videos.reader import VideoFrame, frames_of

_LENGTH = struct.Struct("<I")
_AT_ONCE = 2  # videos: each has a process that decodes
router = APIRouter(tags=["prediction"])
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"video": FILE}, "required": ["video"]},
                "encoding": {"video": {"contentType": "video/mp4, video/webm"}},
            }
        },
    }
}


@router.post(
    "/predict/video",
    summary="The masks of a short video",
    openapi_extra=_FORM,
    response_class=Response,
    responses={
        200: {
            "description": "Frames, each a length (u32, little-endian) and a message as of /live",
            "content": {"application/octet-stream": {"schema": FILE}},
        },
        **UPLOAD_PROBLEMS,
    },
)
async def predict_video(request: Request, state: State, model: ModelName = None) -> Response:
    """Segment the MP4 or WebM in ``video``: 30 s at most, of which 150 frames are looked at."""
    network = state.networks.find(model)
    if state.videos >= _AT_ONCE:
        raise busy(f"{state.videos} videos are under way", 5)

    def finish(at_s: float, number: int, image: U8, outcome: Outcome) -> bytes:
        height, width = outcome.mask.shape
        about = {
            "sequence": number,
            "at_s": round(at_s, 3),
            "camera_size": (width, height),
            "scale": (1, 1),
            "offset": (0, 0),
            "shares": outcome.shares,
            "invoke_ms": round(outcome.invoke_ms, 3),
            "model": outcome.model,
        }
        message = pack_frame(about, outcome.mask, np.ascontiguousarray(image[..., ::-1]))
        return _LENGTH.pack(len(message)) + message

    async def segmented(frames: AsyncIterator[VideoFrame]) -> AsyncIterator[bytes]:
        number = 0
        async for at_s, image in frames:
            number += 1
            yield await network.predict(
                Picture(array=image),
                False,
                lambda pixels, outcome, at=at_s, n=number: finish(at, n, pixels, outcome),  # type: ignore[misc]
            )

    async with AsyncExitStack() as stack:
        state.videos += 1
        stack.callback(_leave, state)
        parts = await stack.enter_async_context(uploaded(request, state, [network]))
        data = files(parts, "video", 1)[0].data
        masks = segmented(frames_of(data, state.config.limits.pixels))
        stack.push_async_callback(masks.aclose)  # type: ignore[attr-defined]
        first = await anext(masks, None)
        if first is None:
            raise ProblemError(422, "the video holds no frame")
        held = stack.pop_all()  # the upload's memory, until the last frame is sent

    async def sent() -> AsyncIterator[bytes]:
        yield first
        async for message in masks:
            yield message

    return Streamed(sent(), held.aclose)


def _leave(state: State) -> None:
    state.videos -= 1
