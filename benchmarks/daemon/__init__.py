"""The daemon measured whole: latency, throughput, the camera path."""
