"""HTTP adapters: decode, authorise, call, encode. No rules here."""
