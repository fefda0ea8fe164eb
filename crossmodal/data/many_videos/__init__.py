"""Many raw video files: into a published layout, or into features."""
