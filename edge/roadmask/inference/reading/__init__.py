"""What a model file tells of itself, part by part; `contract` puts them together."""
