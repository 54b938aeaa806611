"""Notebook 09: the same 128 units with far fewer mistakes, and the networks they are compared with."""
