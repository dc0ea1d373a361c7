"""Which test goes to which worker, and when."""
