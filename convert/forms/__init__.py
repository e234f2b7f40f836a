"""Networks as they come: what each kind of file holds, brought to one graph."""
