"""A worker's namespace: its objects, its lease, its end.

It must not know what services are for, nor pytest.
"""
