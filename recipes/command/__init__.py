"""The commands of `crossmodal`, and their options."""
