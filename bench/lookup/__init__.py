"""Longest-prefix match side by side: ours, DPDK's and Python's tables over the same prefixes and keys."""
