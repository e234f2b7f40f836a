"""The small vocabularies of the mask stream; ``edge/cpp/include/roadmask/modes.hpp`` is their copy.

Numbers travel on the wire: add, never change. A test compares both copies.
"""

from __future__ import annotations

import enum


class MessageType(enum.IntEnum):
    """What a message is; a client ignores types that it does not know."""

    WELCOME = 1
    FRAME = 2
    STATUS = 3
    BYE = 4


class Mode(enum.IntEnum):
    """How far the output can be used: bits 0–1 of the mode word."""

    OK = 0
    DEGRADED = 1  # usable, something is off
    STALE = 2  # no new frame in time
    FAULT = 3  # no usable output


class Reason(enum.IntFlag):
    """Why the mode is not OK: bits 8–31 of the mode word. Bits without a name are kept."""

    NONE = 0
    CPU_FALLBACK = 1 << 8  # the accelerator is gone, the processor took over
    THERMAL = 1 << 9
    POWER = 1 << 10  # under-voltage, or a throttled power mode
    LOW_RATE = 1 << 11
    LOW_CONFIDENCE = 1 << 12  # far less sure than of its golden frames
    DARK = 1 << 13
    BLOCKED = 1 << 14  # lens covered or dirty
    FROZEN = 1 << 15  # the camera repeats one picture
    ESTIMATED_TIME = 1 << 16  # no usable driver stamp: captured at the latest then
    IMPLAUSIBLE = 1 << 17  # one category over nearly all of the picture
    FLICKER = 1 << 18  # the mask changes where the picture stands still
    DRIFT = 1 << 19  # INT8 logits left the calibrated range
    NO_NEW_FRAME = 1 << 20
    CAMERA_LOST = 1 << 21
    INFERENCE_FAILED = 1 << 22
    STARTING = 1 << 23
    BAD_TIMESTAMP = 1 << 24  # capture time zero or in the future
    SHUTDOWN = 1 << 25  # BYE: the publisher stops
    NOT_ALLOWED = 1 << 26  # BYE: user and groups are not on the allow-list
    TOO_MANY_CLIENTS = 1 << 27  # BYE
    BAD_PICTURE = 1 << 28  # the camera delivers, but nothing that can be decoded
    OVEREXPOSED = 1 << 29  # nearly all of the picture is white
    UNVERIFIED = 1 << 30  # the model's golden frames were not run on this board, or it has none
    REDUCED = 1 << 31  # by plan at a lower rate, or with a smaller network, than configured


# Reasons for which a subscriber gives no mask unless it is told otherwise.
REFUSED_BY_DEFAULT = (
    Reason.FROZEN
    | Reason.BLOCKED
    | Reason.DARK
    | Reason.OVEREXPOSED
    | Reason.INFERENCE_FAILED
    | Reason.IMPLAUSIBLE
)


class Flag(enum.IntFlag):
    """Where a frame comes from and what travels with it."""

    NONE = 0
    DRIVER_TIME = 1 << 0  # capture time is the driver's, not the time of arrival
    REPLAY = 1 << 1
    SYNTHETIC = 1 << 2
    FILE = 1 << 3
    PREVIEW = 1 << 4
    CONFIDENCE = 1 << 5
    AGE_UNKNOWN = 1 << 6  # nobody knows what lies between the exposure and the arrival


def names(bits: enum.IntFlag) -> str:
    """The set bits' names, the same in every Python version: ``"THERMAL|LOW_RATE"``."""
    known = [member.name or "" for member in type(bits) if member and member in bits]
    return "|".join(known) or "NONE"


NOT_LIVE = Flag.REPLAY | Flag.SYNTHETIC | Flag.FILE


class NoMask(enum.IntEnum):
    """Why a subscriber has no mask to give."""

    NONE = 0  # it has one
    NOT_CONNECTED = 1  # nobody listens at the path
    NOT_PERMITTED = 2  # file mode, or refused by the publisher's allow-list
    AWAITING_WELCOME = 3  # connected, the publisher has not answered yet
    NO_FRAME = 4  # connected, nothing published yet
    NO_NEW_FRAME = 5  # receive: the newest frame was handed out already
    SILENT = 6  # no message in time: the publisher is stopped, hung or gone
    STALE = 7
    FAULT = 8
    TOO_OLD = 9
    FUTURE = 10  # captured later than published, or than now
    NOT_LIVE = 11  # replayed, synthetic or from a file
    OVERWRITTEN = 12  # the publisher lapped the reader
    CONNECTION_LOST = 13
    CLOSED = 14  # the publisher said BYE, or this subscriber was closed
    MALFORMED = 15  # a check failed: ``error`` names it
    NO_CLOCK = 16  # across machines: how far their clocks are apart is not known well enough
    AGE_UNKNOWN = 17  # the source's latency is not known, so the mask has no age
    REFUSED = 18  # a reason that this subscriber refuses
    FOREIGN_PUBLISHER = 19  # neither this user, nor root, nor the owner of the socket's folder
    WRONG_MODEL = 20  # not made by the model that this subscriber names
    FORKED = 21  # this process is a fork of the one that connected: open a subscriber here
    NO_MEMORY = 22  # no room for the ring or for a copy
    NO_PLACE = 23  # the publisher has as many clients as it takes


NO_MASK_TEXT = {
    NoMask.NONE: "a mask is available",
    NoMask.NOT_CONNECTED: "no publisher at the socket",
    NoMask.NOT_PERMITTED: "the publisher or the socket's mode does not allow this user",
    NoMask.AWAITING_WELCOME: "connected, the publisher has not answered yet",
    NoMask.NO_FRAME: "connected, no frame published yet",
    NoMask.NO_NEW_FRAME: "no frame newer than the last one handed out",
    NoMask.SILENT: "the publisher sends nothing: stopped, hung or gone",
    NoMask.STALE: "the publisher reports STALE",
    NoMask.FAULT: "the publisher reports FAULT",
    NoMask.TOO_OLD: "the newest mask is older than allowed",
    NoMask.FUTURE: "the newest mask claims to be captured in the future",
    NoMask.NOT_LIVE: "the stream is not live (replay, synthetic or file)",
    NoMask.OVERWRITTEN: "the publisher overwrote the mask while it was read",
    NoMask.CONNECTION_LOST: "the connection broke",
    NoMask.CLOSED: "the stream was closed",
    NoMask.MALFORMED: "the publisher broke the protocol",
    NoMask.NO_CLOCK: "the other machine's clock is not known well enough",
    NoMask.AGE_UNKNOWN: "the age of the newest mask is not known",
    NoMask.REFUSED: "the newest mask has a reason that is refused",
    NoMask.FOREIGN_PUBLISHER: "the publisher runs as a user that is not trusted",
    NoMask.WRONG_MODEL: "the newest mask was made by another model",
    NoMask.FORKED: "this process is a fork of the one that opened the subscriber",
    NoMask.NO_MEMORY: "there is no memory for the mask",
    NoMask.NO_PLACE: "the publisher has no place for one more",
}
