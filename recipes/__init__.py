"""Recipes: short functions that assemble whole systems from the blocks. Imported as `crossmodal.recipes`."""
