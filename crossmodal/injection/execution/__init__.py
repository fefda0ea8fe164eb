"""Ways to run a model that are applied from outside and leave what it computes as it is."""
