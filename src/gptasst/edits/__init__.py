"""Edits: from a model's answer to a safe change of a text."""
