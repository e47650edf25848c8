"""What it costs to read and to write each control message: Python alone, no socket."""
