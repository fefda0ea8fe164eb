"""Packages that `import crossmodal` must not need: extras, oracles, and what is heavy."""

OPTIONAL = {
    "av",
    "greenlet",
    "h5py",
    "huggingface_hub",
    "hypothesis",
    "jsonargparse",
    "lightning",
    "matplotlib",
    "pytest",
    "pytorch_lightning",
    "sklearn",
    "soundfile",
    "soxr",
    "timm",
    "torchaudio",
    "torchcodec",
    "torchmetrics",
    "torchvision",
    "transformers",
    "xformers",
}
