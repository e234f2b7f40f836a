"""Short videos: decoded in a process of their own, segmented frame by frame."""
