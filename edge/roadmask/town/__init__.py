"""The parts of the synthetic town: layout, textures, drawing and weather; see roadmask.synthetic."""
