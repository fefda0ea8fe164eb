"""Picture models of timm, torchvision and transformers, by name, up to their last tokens: no pooling, no classifier."""

import difflib
import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from crossmodal.checkpoints import read_weights
from crossmodal.checkpoints.load_strict import load_strict
from crossmodal.checkpoints.rules import CLASSIFIER, Mapped
from crossmodal.data import Preprocess
from crossmodal.encoders.by_name.kinds import PRETRAINED, Rgb, logger

CLASSIFIERS = ("head", "heads", "head_dist", "fc", "classifier")


class Headless(NamedTuple):
    """A model of frames `(frame, 3, size, size)`, what it wants them to look like, and whether it has been trained."""

    model: nn.Module
    size: int
    mean: Rgb
    std: Rgb
    trained: bool


def timm_model(name: str, *, weights: str | Path | None, size: int | None, options: Mapping[str, Any]) -> Headless:
    """A model of timm; `options` go to `timm.create_model`. Raises `ValueError`, `ImportError`, `ConnectionError`."""
    timm = needed("timm")
    if not timm.is_model(name):
        raise ValueError(nothing_like(f"timm:{name}", timm.list_models(), "timm:"))
    given = {"num_classes": 0, "global_pool": "", "pretrained": weights == PRETRAINED, **options}
    try:
        model = fetched(f"timm:{name}", timm.create_model, name, **given, **({"img_size": size} if size else {}))
    except TypeError as error:
        if not size or "img_size" not in str(error):
            raise
        model = fetched(f"timm:{name}", timm.create_model, name, **given)  # convolutions take any size
    wants = model.pretrained_cfg
    size = size or options.get("img_size") or wants["input_size"][-1]
    return Headless(model, size, tuple(wants["mean"]), tuple(wants["std"]), fill(model, weights, f"timm:{name}"))


def torchvision_model(
    name: str, *, weights: str | Path | None, size: int | None, options: Mapping[str, Any]
) -> Headless:
    """A model of torchvision; `options` go to `torchvision.models.get_model`. Raises as `timm_model` does."""
    models = import_module("torchvision.models")
    known = models.list_models(module=models)
    if name not in known:
        raise ValueError(nothing_like(f"torchvision:{name}", known, "torchvision:"))
    wants = models.get_model_weights(name).DEFAULT.transforms()
    sized = {"image_size": size} if size and name.startswith("vit") else {}
    theirs = "DEFAULT" if weights == PRETRAINED else None
    whole = fetched(f"torchvision:{name}", models.get_model, name, weights=theirs, **sized, **options)
    model = without_head(whole, name)
    size = size or options.get("image_size") or wants.crop_size[0]
    return Headless(model, size, tuple(wants.mean), tuple(wants.std), fill(model, weights, f"torchvision:{name}"))


def transformers_model(
    folder: str, *, weights: str | Path | None, size: int | None, options: Mapping[str, Any]
) -> Headless:
    """A picture model of transformers; `options` change its configuration. Raises as `timm_model` does."""
    config = configuration(folder, "vision_config", {**options, **({"image_size": size} if size else {})})
    model, trained = from_folder(folder, config, weights)
    wants, usual = stored(folder, "preprocessor_config.json"), Preprocess()
    size = size or getattr(config, "image_size", None) or 224
    mean, std = (wants.get(f"image_{name}", getattr(usual, name)) for name in ("mean", "std"))
    return Headless(model, size if isinstance(size, int) else size[0], tuple(mean), tuple(std), trained)


def configuration(folder: str, part: str, options: Mapping[str, Any]) -> Any:
    """The configuration of a model, or of that part of it, from a folder that `save_pretrained` wrote."""
    transformers = needed("transformers")
    if not (Path(folder) / "config.json").is_file():
        raise ValueError(
            f"transformers:{folder} must be a folder that save_pretrained wrote, and holds no config.json; nothing is "
            "fetched here: `huggingface-cli download NAME --local-dir FOLDER` does that."
        )
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    config = getattr(config, part, config)
    for name, value in options.items():
        if not hasattr(config, name):
            raise ValueError(f"transformers:{folder}: {type(config).__name__} has no {name!r} to be set to {value!r}.")
        setattr(config, name, value)
    return config


def from_folder(folder: str, config: Any, weights: str | Path | None) -> tuple[nn.Module, bool]:
    """The model of a configuration, with the weights of its folder, of a file, or random ones; whether it has any."""
    name = type(config).__name__.removesuffix("Config") + "Model"
    kind = getattr(needed("transformers"), name, None)
    if kind is None:
        raise ValueError(f"transformers:{folder} is a {config.model_type}, and transformers has no {name}.")
    if weights not in (None, PRETRAINED) or not any(Path(folder).glob("*.safetensors")):
        model = kind(config)
        return model, fill(model, None if weights == PRETRAINED else weights, f"transformers:{folder}")
    options = {"config": config, "local_files_only": True, "use_safetensors": True, "output_loading_info": True}
    model, report = fetched(f"transformers:{folder}", kind.from_pretrained, folder, **options)
    missing = sorted(name for name in report["missing_keys"] if "pooler" not in name)
    if missing:
        raise ValueError(f"transformers:{folder}: its file lacks {len(missing)} tensors of {name}, as {missing[:3]}.")
    return model, True


def stored(folder: str, file: str) -> dict[str, Any]:
    """A JSON file beside a model; empty where there is none."""
    path = Path(folder) / file
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def fill(model: nn.Module, weights: str | Path | None, name: str) -> bool:
    """Fills a model with a file, every tensor of it but a classifier's; returns whether it has been trained."""
    if weights is None or weights == PRETRAINED:
        return weights == PRETRAINED
    own = model.state_dict().keys()

    def rule(there: str, tensor: Tensor) -> Mapped:
        if there in own:
            return {there: tensor}
        return CLASSIFIER if there.split(".")[0] in CLASSIFIERS else None

    logger.info("%s", load_strict(model, read_weights(weights), rule, layout=name, importer=name))
    return True


class VitTokens(nn.Module):
    """Torchvision's ViT up to its last tokens, class token first."""

    def __init__(self, whole: nn.Module):
        super().__init__()
        self.conv_proj, self.class_token, self.encoder = whole.conv_proj, whole.class_token, whole.encoder

    def forward(self, frames: Tensor) -> Tensor:
        """Frames `(frame, 3, height, width)` → tokens."""
        patches = self.conv_proj(frames).flatten(2).mT
        return self.encoder(torch.cat([self.class_token.expand(len(frames), -1, -1), patches], dim=1))


def without_head(whole: nn.Module, name: str) -> nn.Module:
    """A classifier of torchvision up to its last tokens or feature map. `ValueError` for a kind that is not known."""
    parts = dict(whole.named_children())
    if {"conv_proj", "encoder"} <= parts.keys():
        return VitTokens(whole)
    kept = list(parts)[: list(parts).index("layer4") + 1] if "layer4" in parts else ["features", "norm"]
    if kept[0] not in parts:
        raise ValueError(
            f"torchvision:{name} is no ViT, Swin, ConvNeXt or ResNet, and where it ends is not known: take it from "
            "timm, or cut it yourself with sections_of."
        )
    return nn.Sequential(OrderedDict((part, parts[part]) for part in kept if part in parts))


def fetched(name: str, build: Any, *args: Any, **kwargs: Any) -> Any:
    """What `build` returns; `ConnectionError` where a hub cannot be reached."""
    try:
        return build(*args, **kwargs)
    except OSError as error:
        raise ConnectionError(
            f"{name}: its weights could not be fetched ({error}): get them in another way and give the file as weights."
        ) from error


def needed(library: str) -> ModuleType:
    """The library. `ImportError` with what to install."""
    try:
        return import_module(library)
    except ImportError as error:
        raise ImportError(f"a model of {library} needs it ({error}): pip install {library}.") from error


def nothing_like(name: str, known: Iterable[str], prefix: str = "") -> str:
    """The sentence for a name that nobody knows, with near misses."""
    known = [prefix + one for one in known]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) or known[:3]
    return f"there is no backbone {name!r}; nearest: {', '.join(map(repr, near))} (of {len(known)})."
