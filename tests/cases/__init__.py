"""Cases: what is checked, and how."""
