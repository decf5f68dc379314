"""Tests of assistants: inputs, and what must hold of the answers."""
