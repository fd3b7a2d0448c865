"""`vendue verify`: judges an exported log by the numbered rules of docs/verify.md, from the file alone."""
