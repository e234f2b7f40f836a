"""The daemon's end of the stream."""
