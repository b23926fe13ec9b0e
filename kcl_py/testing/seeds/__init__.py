"""Does a seed break a promise? Worlds drawn, lived through, searched, cut down and told."""
