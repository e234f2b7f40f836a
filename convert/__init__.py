"""From a trained Keras model to a full-INT8 ``.tflite`` that carries the proof of what it cost."""
