"""What the parts of the data plane cost, each alone: time by pytest-benchmark, instructions by callgrind."""
