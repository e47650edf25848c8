"""Frozen values that every other room speaks in. Nothing here does I/O or knows another room."""
