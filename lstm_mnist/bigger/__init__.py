"""Notebook 10: the same training on many devices and machines, on more digits than memory holds, and out to others."""
