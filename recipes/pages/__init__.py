"""What people look at: the report of a run, the page of a film."""
