"""Augmentation as an albumentations pipeline, seeded for every sample."""

from __future__ import annotations

import albumentations as A
import cv2
import numpy as np
import numpy.typing as npt

from roadmask.labels import VOID


class Augment:
    """Random crop, scale, aspect, flip and light; one instance per thread (it holds state).

    Args:
        size: width and height of the result in px.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        width, height = size
        self._pipeline = A.Compose(
            [
                # Area from a fifth of the frame: objects up to 2.2 times their size. The aspect
                # covers 16:9 cameras, whose frames are stretched to the network's input.
                A.RandomResizedCrop(
                    (height, width),
                    scale=(0.2, 1.0),
                    ratio=(0.75 * width / height, 1.6 * width / height),
                    interpolation=cv2.INTER_LINEAR,
                    mask_interpolation=cv2.INTER_NEAREST,
                ),
                A.HorizontalFlip(p=0.5),
                A.Affine(
                    rotate=(-6, 6),
                    scale=(0.7, 1.0),
                    fill_mask=VOID,
                    interpolation=cv2.INTER_LINEAR,
                    mask_interpolation=cv2.INTER_NEAREST,
                    p=0.25,
                ),
                A.ColorJitter(0.35, 0.35, 0.35, 0.03, p=0.8),
                A.RandomGamma((70, 140), p=0.3),
                A.OneOf([A.GaussianBlur((3, 5)), A.GaussNoise((0.01, 0.04))], p=0.2),
            ]
        )

    def __call__(
        self, image: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8], seed: int
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """RGB ``(H, W, 3)`` and mask ``(H, W)`` → the same, augmented; equal for equal seeds."""
        self._pipeline.set_random_seed(seed)
        result = self._pipeline(image=image, mask=mask)
        return result["image"], result["mask"]
