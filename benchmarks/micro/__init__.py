"""pytest-benchmark suites: kernels and the training's loader."""
