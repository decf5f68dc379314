"""Files on this machine: paths, atomic files, SQLite and locks."""
