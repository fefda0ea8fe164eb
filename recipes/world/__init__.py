"""Pre-training, probes and drawings of the built-in world."""
