"""Light, sky and the camera's own faults: what turns painted surfaces into a photograph."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from roadmask.arrays import F64, U8
from roadmask.town import textures
from roadmask.town.canvas import GLOW, SIDEWALK, WHITE_MAX, Color
from roadmask.town.layout import dice

_PERIOD_S = 24.0  # one weather lasts so long
_FADE_S = 4.0
KINDS = ("sunny", "overcast", "dusk", "rain")


@dataclass(frozen=True)
class State:
    """The weather of one moment; each share is 0–1."""

    dusk: float
    rain: float
    cloud: float
    exposure: float
    haze_m: float  # distance at which 63 % of a surface is haze
    warmth: float  # -1 bluish to 1 reddish sunlight
    azimuth: float  # of the sun in street axes, radians right of straight ahead
    elevation: float

    @cached_property
    def light(self) -> F64:
        """``(3,)`` towards the sun (right, ahead, up); shorter under clouds."""
        power = (1 - self.cloud * 0.8) * (1 - self.dusk * 0.7)
        flat = math.cos(self.elevation)
        return power * np.array(
            (
                math.sin(self.azimuth) * flat,
                math.cos(self.azimuth) * flat,
                math.sin(self.elevation),
            )
        )

    @property
    def shadow(self) -> float:
        """How dark cast shadows are, 0–1."""
        return 0.45 * (1 - self.cloud) * (1 - self.dusk)

    @cached_property
    def haze_color(self) -> F64:
        """``(3,)`` BGR that far things fade to, in painted values."""
        return haze_color(self.cloud, self.dusk)


def haze_color(cloud: float, dusk: float) -> F64:
    """``(3,)`` BGR that far things fade to, in painted values."""
    day = np.array((214.0, 206.0, 198.0))
    grey = np.array((186.0, 184.0, 180.0))
    night = np.array((205.0, 180.0, 178.0))
    base = day + (grey - day) * cloud
    out: F64 = base + (night - base) * dusk
    return out


def _kind(seed: int, k: int, fixed: str | None) -> State:
    r = dice(seed, 21, k)
    name = r.choices(KINDS, (5, 3, 2.2, 2.2))[0]
    if fixed is not None:
        name = r.choice(("sunny", "sunny", "overcast")) if fixed == "day" else fixed
    sun = dice(seed, 22)  # the street keeps its bearing
    azimuth = sun.uniform(-math.pi, math.pi)
    return State(
        dusk=r.uniform(0.75, 1.0) if name == "dusk" else 0.0,
        rain=r.uniform(0.6, 1.0) if name == "rain" else 0.0,
        cloud={"sunny": r.uniform(0, 0.3), "overcast": 0.9, "dusk": 0.5, "rain": 1.0}[name],
        exposure=r.uniform(0.86, 1.14),
        haze_m={"sunny": r.uniform(500, 1100), "overcast": r.uniform(260, 800)}.get(
            name, r.uniform(190, 420)
        ),
        warmth=r.uniform(-0.6, 1.0),
        azimuth=azimuth,
        elevation=r.uniform(0.4, 1.0),
    )


def state(seed: int, t: float, fixed: str | None) -> State:
    """The weather at time ``t`` seconds, fading from one kind to the next."""
    k = math.floor(t / _PERIOD_S)
    now, u = _kind(seed, k, fixed), t - k * _PERIOD_S
    mix = (u - (_PERIOD_S - _FADE_S)) / _FADE_S
    if mix <= 0:
        return now
    mix = mix * mix * (3 - 2 * mix)
    new = _kind(seed, k + 1, fixed)

    def blend(a: float, b: float) -> float:
        return a + (b - a) * mix

    return State(
        blend(now.dusk, new.dusk),
        blend(now.rain, new.rain),
        blend(now.cloud, new.cloud),
        blend(now.exposure, new.exposure),
        blend(now.haze_m, new.haze_m),
        blend(now.warmth, new.warmth),
        now.azimuth,
        blend(now.elevation, new.elevation),
    )


class Lens:
    """Everything after the painting: tone, glow, rain, vignette, softness, noise."""

    def __init__(self, seed: int, width: int, height: int) -> None:
        rs = np.random.RandomState((seed * 104729 + 5) % (1 << 32))
        self._size = (width, height)
        yy, xx = np.mgrid[:height, :width].astype(np.float32)
        fall = ((xx / width - 0.5) ** 2 + (yy / height - 0.5) ** 2) * rs.uniform(0.15, 0.75)
        self._vignette: U8 = np.repeat(
            (255 * (1 - fall)).clip(0, 255).astype(np.uint8)[..., None], 3, 2
        )
        grain = rs.randn(height + 48, width + 64, 3).astype(np.float32)
        grain = grain + 0.8 * cv2.GaussianBlur(grain, (0, 0), 1.0) * 2.0
        self._noise: U8 = (128 + 22 * grain / grain.std()).clip(0, 255).astype(np.uint8)
        self._sharp = rs.uniform(0.35, 0.95) * math.sqrt(width / 1280)
        self._noise_gain = rs.uniform(0.05, 0.16)
        streaks = (rs.rand(height + 256, width) > 0.9985).astype(np.float32)
        length = max(5, height // 24) | 1
        kernel = np.zeros((length, length), np.float32)
        cv2.line(kernel, (length // 2 + 2, 0), (length // 2 - 2, length - 1), (1.0,))
        rain = cv2.filter2D(streaks, -1, kernel)
        self._streaks: U8 = np.repeat((rain * 50).clip(0, 60).astype(np.uint8)[..., None], 3, 2)
        self._work: U8 = np.empty((height, width, 3), np.uint8)

    def expose(self, image: U8, slots: U8, now: State, horizon: int, frame: int) -> U8:
        """The photograph ``(H, W, 3) uint8`` BGR of a painted frame; ``image`` is overwritten."""
        r = dice(frame, 31)
        if now.rain > 0.05:
            self._wet(image, slots, now.rain, horizon)
        cv2.LUT(image, _tone(now), self._work)
        if now.dusk > 0.3:
            self._glow(now.dusk)
        cv2.multiply(self._work, self._vignette, image, 1 / 255)
        sigma = self._sharp + 0.5 * now.rain
        if sigma > 0.3:
            cv2.GaussianBlur(image, (3, 3), sigma, image)
        if now.rain > 0.05:
            top, left = r.randrange(256), r.randrange(1, self._size[0])
            h, w = image.shape[:2]
            rain = self._streaks[top : top + h]
            cv2.add(image[:, left:], rain[:, : w - left], image[:, left:])
            cv2.add(image[:, :left], rain[:, w - left :], image[:, :left])
        gain = self._noise_gain * (1 + 1.2 * now.dusk)
        y, x = r.randrange(48), r.randrange(64)
        noise = self._noise[y : y + image.shape[0], x : x + image.shape[1]]
        photo: U8 = np.empty_like(image)
        cv2.addWeighted(image, 1.0, noise, gain, -128 * gain, photo)
        return photo

    def _wet(self, image: U8, slots: U8, rain: float, horizon: int) -> None:
        """The wet ground mirrors, blurred and dim, what stands over the horizon."""
        h, w = image.shape[:2]
        n = min(h - horizon, horizon)
        if n < 8:
            return
        small = cv2.resize(
            image[horizon - n : horizon],
            (max(2, w // 4), max(2, n // 16)),
            interpolation=cv2.INTER_AREA,
        )
        mirror = cv2.resize(cv2.flip(small, 0), (w, h - horizon), interpolation=cv2.INTER_LINEAR)
        ground = image[horizon:]
        mixed = cv2.addWeighted(ground, 1 - 0.42 * rain, mirror, 0.36 * rain, 0)
        mask = cv2.inRange(slots[horizon:], (7,), (SIDEWALK,))
        cv2.copyTo(mixed, mask, ground)

    def _glow(self, dusk: float) -> None:
        """Light of lamps spreads in the lens."""
        w, h = self._size
        small = cv2.resize(
            self._work, (max(2, w // 8), max(2, h // 8)), interpolation=cv2.INTER_AREA
        )
        small = cv2.subtract(small, np.full_like(small, 150))
        halo = cv2.GaussianBlur(small, (0, 0), 2.2)
        halo = cv2.addWeighted(
            halo, 1.1 * dusk, cv2.GaussianBlur(small, (0, 0), 0.8), 0.6 * dusk, 0
        )
        cv2.add(self._work, cv2.resize(halo, (w, h), interpolation=cv2.INTER_LINEAR), self._work)


def _tone(now: State) -> U8:
    """``(1, 256, 3)``: painted value to camera value; GLOW and up shine only at dusk."""
    v = np.arange(256, dtype=np.float64) / WHITE_MAX
    v = np.minimum(v, 1.0)
    curve = np.clip(v * now.exposure, 0, 1.25)
    curve = curve - 0.05 * np.sin(curve.clip(0, 1) * 2 * np.pi) * (1 - 0.7 * now.cloud)
    contrast = 1 - 0.22 * now.rain - 0.08 * now.cloud
    curve = 0.5 + (curve - 0.5) * contrast - 0.04 * now.rain
    out = np.empty((1, 256, 3), np.float64)
    for c, (day, night) in enumerate(((-0.06, 0.30), (0.0, 0.21), (0.05, 0.19))):
        warm = 1 + now.warmth * day * (1 - 0.6 * now.cloud)
        dark = (v**1.35) * night * 1.25 * now.exposure + 0.015
        out[0, :, c] = 255 * (curve * warm * (1 - now.dusk) + dark * now.dusk)
    # Warm light: blue stays behind.
    out[0, GLOW:] = np.array((95, 110, 120)) + np.array((95, 125, 132)) * now.dusk
    table: U8 = out.clip(0, 255).astype(np.uint8)
    return table


def skies(seed: int, width: int, horizon: int) -> list[U8]:
    """Panoramas ``(horizon, 2 * width, 4)``: clear, overcast, dusk."""
    rs = np.random.RandomState((seed * 31337 + 3) % (1 << 32))
    h, w = max(8, horizon), 2 * width
    tops: tuple[tuple[Color, Color, float], ...] = (
        ((198, 140, 92), (224, 210, 196), rs.uniform(0.2, 0.6)),
        ((190, 184, 178), (212, 208, 204), 0.75),
        ((190, 130, 112), (170, 190, 226), 0.3),
    )
    return [textures.sky(rs, w, h, top, low, cloud) for top, low, cloud in tops]
