"""Assistants for files: a named model with instructions and knowledge, run on what you give it."""

__version__ = "0.1.0"
