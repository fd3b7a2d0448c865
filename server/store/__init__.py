"""Redis: the embedded store, the coalescing connection, the script loader. No rules of a sale live here."""
