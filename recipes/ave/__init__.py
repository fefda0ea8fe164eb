"""Systems of audio-visual event localisation (AVE), one file each."""
