"""The networks that the console serves, here or on other hosts."""
