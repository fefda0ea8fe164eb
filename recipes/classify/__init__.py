"""Systems that classify whole clips, one file each."""
