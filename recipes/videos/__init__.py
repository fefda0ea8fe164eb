"""Many video files: in several processes, to AVE's layout or to features."""
