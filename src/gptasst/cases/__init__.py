"""Test assistants: inputs with checks of the answers."""
