"""Suites of other projects, run unchanged."""
