"""Label sets: data, each with its map to the eight categories."""
