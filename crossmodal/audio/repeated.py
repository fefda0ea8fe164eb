"""Front end of audio encoders that were trained on longer sounds than a segment: the segment is repeated."""

from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import shaped
from .log_mel import LogMel
from .wave import tile


class RepeatedLogMel(nn.Module):
    """Repeats every segment of sound to a fixed length and computes its log-mel spectrogram in dB.

    Shapes: wave `(frame, sample)` → `(frame, time, mel)`.
    """

    def __init__(self, log_mel: LogMel, length: int):
        """Builds the front end.

        Args:
            log_mel: Log-mel spectrogram.
            length: Samples that every segment is repeated to (released models: ten seconds).
        """
        super().__init__()
        self.log_mel, self.length = log_mel, length

    @shaped
    def forward(self, wave: Float[Tensor, "frame sample"]) -> Float[Tensor, "frame time mel"]:
        """Computes the log-mel spectrogram."""
        return self.log_mel(tile(wave, self.length))

    def extra_repr(self) -> str:
        """Shows the length."""
        return f"length={self.length}"
