"""The array types of the package, once: names for what an annotation's reader needs to know."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

U8 = npt.NDArray[np.uint8]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Image = U8  # (H, W, 3): RGB, or BGR where the text says so
Mask = U8  # (H, W): ids of classes or categories
Tensor = npt.NDArray[Any]  # what a network takes or gives
