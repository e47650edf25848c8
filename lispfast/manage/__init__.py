"""How a running daemon is seen and asked: the control socket, the log's vocabulary, where its files lie."""
