"""Pages that a run leaves."""
