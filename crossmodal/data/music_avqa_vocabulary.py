"""Answers and question words of MUSIC-AVQA in the order of their published ids, for released weights.

A data set on the disk is read with the vocabulary of its own training questions: `read_vocabulary` of
`crossmodal.data.music_avqa_rows` rebuilds this one from the published file.
"""

from .vocabulary import Vocabulary

MORE = "more than ten"
"""The one answer of several words."""

_BEFORE = """
two cello congas zero no pipa six yes one four three seven five ukulele right piano left accordion clarinet
guzheng
"""
_AFTER = """
nine indoor saxophone drum violin middle outdoor bagpipe bassoon acoustic_guitar banjo electric_bass ten eight
flute simultaneously trumpet erhu xylophone tuba suona
"""
_WORDS = """
<pad> How many instruments are sounding in the video What kind of instrument is leftest musical it did not sound
from beginning to end Is on left louder than right guzheng types accordion always playing clarinet there a
voiceover this cello violin flute pipa piano Which that sounds at same time as acoustic_guitar Where first
electric_bass drum more rhythmic ukulele banjo saxophone trumpet erhu middle congas entire tuba bagpipe loudest
comes xylophone bassoon suona second appeared performance rightest coming third last Are and makes before after
lowest fourth longer fifth were heard throughout
"""

MUSIC_AVQA = Vocabulary([*_BEFORE.split(), MORE, *_AFTER.split()], _WORDS.split())
"""The 42 answers, and the 93 words with padding."""
