"""Fire watch: cameras report, a consensus decides, a trigger acts, a database remembers."""
