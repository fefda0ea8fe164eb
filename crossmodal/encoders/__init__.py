"""Floor 4: encoders cut into sections, at any size."""

from .htsat import htsat as htsat
from .htsat import htsat_tiny_audioset as htsat_tiny_audioset
from .pooled_torchvision import FrameVectors as FrameVectors
from .pooled_torchvision import SecondVectors as SecondVectors
from .pvt_v2 import pvt_v2 as pvt_v2
from .pvt_v2 import pvt_v2_b5 as pvt_v2_b5
from .swin_v2 import swin_v2 as swin_v2
from .swin_v2 import swin_v2_large as swin_v2_large
from .vgg import vgg19 as vgg19
from .vgg import vggish as vggish
