"""Systems of audio-visual question answering (AVQA), one file each."""
