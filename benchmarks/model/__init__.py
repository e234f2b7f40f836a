"""A network measured alone: accuracy, flicker, operators, threads, energy."""
