"""The protocol core: state machines without I/O, clock or randomness. Facts go in, effects come out."""
