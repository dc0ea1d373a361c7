"""Workers: the wire protocol, both its halves, and the packing of sources."""
