"""Dialogues, and their storage."""
