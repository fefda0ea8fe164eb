"""Systems of audio-visual segmentation (AVS), one file each."""
