"""What a worker's namespace serves to its tests: broker and database, as facts.

Services must not know one another, xdist or how their pods are made.
"""
