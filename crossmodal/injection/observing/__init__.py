"""Looking at a guided model from outside: finding adapters, recording maps, taking guides away."""
