"""Training of any system on any task by Lightning: options, run folder, resume, predictions."""
