"""The machine below: clock, files, terminal, hardware, sockets."""
