"""Tasks: the contract that every verb relies on, and one file a task."""
