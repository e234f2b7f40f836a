"""Parts of the synthetic town: layout, textures, painting, weather; see roadmask.town.town."""
