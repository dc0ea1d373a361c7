"""The embedded node for the tests that need a real cluster: started once a session, left as it was found.

It uses the command ``paddock node`` as a person would, and kubectl to look at the cluster from outside.
"""
