"""What happened in a run, for people and machines; it must know neither clusters nor xdist."""
