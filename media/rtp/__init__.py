"""Pure bytes: RTP and RTCP parsing and writing, sequence arithmetic, payload descriptors."""
