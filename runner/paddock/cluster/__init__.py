"""The cluster: connecting to an allowed one, requests, watches and streams.

The only package that imports ``kubernetes``. It must not know runs, workers or pytest.
"""
