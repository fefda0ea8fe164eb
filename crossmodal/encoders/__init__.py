"""Floor 4: encoders cut into sections, at any size."""

from .clap import RobertaText as RobertaText
from .clap import clap_model as clap_model
from .clip import ClipText as ClipText
from .clip import clip_image as clip_image
from .clip import clip_model as clip_model
from .htsat import htsat as htsat
from .htsat import htsat_tiny_audioset as htsat_tiny_audioset
from .pooled_torchvision import FrameVectors as FrameVectors
from .pooled_torchvision import SecondVectors as SecondVectors
from .pvt_v2 import pvt_v2 as pvt_v2
from .pvt_v2 import pvt_v2_b5 as pvt_v2_b5
from .spectrogram import mix_spectrograms as mix_spectrograms
from .swin_v2 import swin_v2 as swin_v2
from .swin_v2 import swin_v2_large as swin_v2_large
from .text_features import TextFeatures as TextFeatures
from .text_tokens import FileTokenizer as FileTokenizer
from .text_tokens import WordTokenizer as WordTokenizer
from .towers import ClassToken as ClassToken
from .towers import DualEncoder as DualEncoder
from .towers import MeanToken as MeanToken
from .towers import TextEncoder as TextEncoder
from .towers import Tokenizer as Tokenizer
from .towers import Tower as Tower
from .towers import cosines as cosines
from .vgg import vgg19 as vgg19
from .vgg import vggish as vggish
