"""Contents that go to the server once."""
