"""From Keras to the INT8 FlatBuffer, layer by layer where it must."""
