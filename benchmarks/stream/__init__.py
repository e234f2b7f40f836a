"""The mask stream against ZeroMQ ipc, in one run: publish time, reader latency, CPU per frame."""
