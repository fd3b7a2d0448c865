"""Redis: the embedded store, the coalescing connection and the script loader. No rules of a sale live here."""
