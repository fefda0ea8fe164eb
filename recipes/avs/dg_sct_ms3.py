"""DG-SCT on audio-visual segmentation as its authors' MS3 code computes it; loads their checkpoint.

Source: the released code of Duan et al., *Cross-modal Prompts*, NeurIPS 2023. Learned token mixers align the guide, the
matching loss has the weight 0.5, all encoders are frozen. Test and training scripts disagree on the gates' weight γ:
0.05 and 0.1; here it is 0.1.
"""

from functools import partial

from crossmodal.alignment import learned_alignment
from crossmodal.heads.level_gates import LevelGates
from crossmodal.recipes.avs.dg_sct_s4 import dg_sct_s4
from crossmodal.recipes.dg_sct_avs import dg_sct_avs
from crossmodal.tasks.settings import Settings

SETTINGS = Settings(optim={"lr": 1.5e-4, "decay": 1.0}, trainer={"max_epochs": 30}, data={"batch_size": 2}, seed=123)
"""Published training: Adam, a constant rate, 30 epochs, batches of 2; the authors select weights on the test split."""

dg_sct_ms3 = partial(
    dg_sct_s4,
    coupling=partial(dg_sct_avs, align=learned_alignment, alpha=0.2, beta=0.1, reduction=2),
    gates=partial(LevelGates, gamma=0.1),
    matching=0.5,
)
"""Builds the system; the keywords are those of `dg_sct_s4` and of the coupling."""

RELEASED = partial(dg_sct_ms3, "swin_v2_l", "htsat", classes=(), mask_size=224)
"""Builds the model of the released checkpoint, given `weights=`; `crossmodal avs reproduce` runs it."""
