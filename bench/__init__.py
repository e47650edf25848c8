"""How fast it is: `throughput` measures whole paths side by side, `micro` the parts of the data plane."""
