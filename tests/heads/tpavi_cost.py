"""`python tests/heads/tpavi_cost.py`: operations and bytes of TPAVI with its matrices and without, 56² × 5, float64."""

import sys
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).parent))
from test_masks import direct, trained

from crossmodal.heads.tpavi import TPAVI


def main() -> None:
    """Prints both, and how far they are apart."""
    torch.manual_seed(0)
    block = trained(TPAVI(256, 128)).double().eval()
    stream, audio = torch.randn(5, 56 * 56, 256).double(), torch.randn(1, 5, 128).double()
    found = {}
    for name, run in (("direct", lambda: direct(block, stream, audio)), ("ours", lambda: block(stream, audio))):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            found[name] = run()[0]
        print(f"{name:<7} {counter.get_total_flops() / 1e9:.3f} GFLOP")
    # fused kernels on other hardware do not matter here: the matrix is what both differ by
    positions = 5 * 56 * 56
    print(f"matrix  {8 * positions**2 / 1e6:.0f} MB in float64, {4 * positions**2 / 1e6:.0f} MB in float32")
    apart = (found["direct"] - found["ours"]).abs().max() / found["direct"].abs().max()
    print(f"apart   {apart.item():.1e} of the largest value")


if __name__ == "__main__":
    main()
