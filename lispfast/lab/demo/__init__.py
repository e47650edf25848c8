"""The demo: a mobile node that moves in front of you, and what it measures."""
