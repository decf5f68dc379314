"""From words to files, their text, and what must not be sent."""
