"""An internet in memory and in virtual time: a day of it runs in milliseconds, and the same seed gives the same day."""
