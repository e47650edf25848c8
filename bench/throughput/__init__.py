"""Throughput, packet rate, latency and cost of four paths between two hosts, measured side by side."""
