"""Assistants: the service, the two stores, their history."""
