"""Systems that learn from few clips of a class by its name, one file each."""
