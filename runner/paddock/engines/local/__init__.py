"""The local engine: worker processes on this machine, each with servers of its own that start when first asked for.

``engine`` is its way in. ``keeper`` is the process that owns the servers and outlives pytest for as long as it takes
to end them. Nothing here may import the cluster's client.
"""
