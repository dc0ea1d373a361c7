"""Accelerators: what a cluster's nodes have of them, and how pods get hold of it by kubelet's device plugins."""
