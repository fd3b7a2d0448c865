"""One log, one clock: entries, the snapshot they build, and the follower that delivers them."""
