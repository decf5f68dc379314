"""Examines everything and changes nothing."""
