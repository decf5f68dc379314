"""From command-line words to files and their text, and the check for secrets."""
