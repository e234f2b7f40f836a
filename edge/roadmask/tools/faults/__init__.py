"""Faults, injected into a real daemon: what S4 sees of each, and how soon it is over."""
