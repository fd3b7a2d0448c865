"""The relay: forwards a creator's video to many viewers and knows nothing of shops."""
