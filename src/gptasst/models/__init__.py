"""The frozen values that cross layers. They hold data and know nothing of where it came from."""
