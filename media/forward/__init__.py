"""Sans-I/O forwarding: what happens to a track between its publisher and its subscribers."""
