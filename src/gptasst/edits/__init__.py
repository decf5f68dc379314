"""From a proposed answer to a safe change of a text."""
