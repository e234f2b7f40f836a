"""From a picture to a mask: model file, engine, kernels' faces."""
