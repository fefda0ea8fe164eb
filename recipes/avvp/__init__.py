"""Systems of audio-visual video parsing (AVVP), one file each."""
