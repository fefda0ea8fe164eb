"""A run: its folder, its training by Lightning, and what it leaves; many runs."""
