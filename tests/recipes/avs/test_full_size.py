"""At full size every system builds, and one clip runs forward and backward on the CPU.

Run it alone, a system at a time: `pytest -m slow tests/recipes/avs/test_full_size.py -k dg_sct_ms3 -s` prints the peak.
"""

import resource

import pytest
import torch

from crossmodal.data.segmented_clip import SegmentedClip
from crossmodal.tasks.resolve import find_system

pytestmark = pytest.mark.slow

PUBLISHED = {"visual": "swin_v2_l", "audio": "htsat"}
SYSTEMS = {
    "dg_sct": (PUBLISHED, 287_795_481),
    "dg_sct_ms3": (PUBLISHED, 225_563_409),
    "lavish": (PUBLISHED, 131_194_713),
    "lavish_shared": ({"visual": "swin_v2_l"}, 36_992_513),
    "tpavi": ({"visual": "pvt_v2_b5", "audio": "vggish"}, 100_140_417),
}
"""Name → its encoders, and its trained parameters as docs/systems.md has them."""


@pytest.mark.parametrize("name", SYSTEMS)
def test_one_clip_runs_forward_and_backward(name):
    encoders, trained = SYSTEMS[name]
    torch.manual_seed(0)
    system = find_system(name, "avs")(**encoders, mask_size=224).train()
    learned = [parameter for parameter in system.parameters() if parameter.requires_grad]
    assert sum(parameter.numel() for parameter in learned) == trained
    size, rate = system.preprocess.size, system.preprocess.rate
    masks = torch.zeros(1, 5, 224, 224, dtype=torch.bool)
    masks[..., 60:160, 40:120] = True
    batch = SegmentedClip(
        torch.rand(1, 5, 3, size, size), torch.randn(1, 5, rate), masks, masks.any((2, 3)), torch.zeros(1, 5).long()
    )
    outputs = system(batch)
    assert outputs.logits.shape == (1, 5, 224, 224)
    sum(system.loss(outputs, batch).values()).backward()
    without = [parameter for parameter in learned if parameter.grad is None or not parameter.grad.isfinite().all()]
    assert not without
    print(f"{name}: peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB")
