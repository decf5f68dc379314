"""Dialogues, and where they are kept."""
