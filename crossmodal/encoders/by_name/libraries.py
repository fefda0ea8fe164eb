"""Image models of timm, torchvision and transformers by name, without pooling and classifier."""

import difflib
import json
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ...checkpoints import read_weights
from ...checkpoints.load_strict import load_strict
from ...checkpoints.rules import CLASSIFIER, Mapped
from ...data import Preprocess
from .backbone import PRETRAINED, Rgb, logger

CLASSIFIERS = ("head", "heads", "head_dist", "fc", "classifier")


class HeadlessModel(NamedTuple):
    """A model that ends in tokens or a feature map.

    Attributes:
        model: Frames `(frame, 3, size, size)` → tokens or feature map.
        size: Side of a frame in pixels.
        mean: Mean of each colour, for normalisation.
        std: Standard deviation of each colour.
        trained: Whether weights were loaded.
    """

    model: nn.Module
    size: int
    mean: Rgb
    std: Rgb
    trained: bool


def timm_model(name: str, *, weights: str | Path | None, size: int | None, options: Mapping[str, Any]) -> HeadlessModel:
    """Builds a model of timm.

    Args:
        name: Its name there.
        weights: A file, `"pretrained"`, or `None` for random weights.
        size: Side of a frame in pixels; `None` for the model's own.
        options: Keywords of `timm.create_model`.

    Raises:
        ValueError: With near misses for an unknown name, or as `load_strict`.
        ImportError: If timm is not installed.
        ConnectionError: If its hub cannot be reached.
    """
    timm = import_library("timm")
    if not timm.is_model(name):
        raise ValueError(unknown_name(f"timm:{name}", timm.list_models(), "timm:"))
    # no classifier and no pooling: what is left ends in tokens or a feature map
    keywords = {"num_classes": 0, "global_pool": "", "pretrained": weights == PRETRAINED, **options}
    with hub_errors(f"timm:{name}"):
        try:
            model = timm.create_model(name, **keywords, **({"img_size": size} if size else {}))
        except TypeError as error:
            if not size or "img_size" not in str(error):
                raise
            model = timm.create_model(name, **keywords)  # convolutions take any size
    config = model.pretrained_cfg
    size = size or options.get("img_size") or config["input_size"][-1]
    trained = load_weights(model, weights, f"timm:{name}")
    return HeadlessModel(model, size, tuple(config["mean"]), tuple(config["std"]), trained)


def torchvision_model(
    name: str, *, weights: str | Path | None, size: int | None, options: Mapping[str, Any]
) -> HeadlessModel:
    """Builds a model of torchvision.

    Args:
        name: Its name there.
        weights: As in `timm_model`.
        size: As in `timm_model`.
        options: Keywords of `torchvision.models.get_model`.

    Raises:
        ValueError: As `timm_model`, and for a kind of model whose head is not known.
        ConnectionError: If the hub cannot be reached.
    """
    models = import_module("torchvision.models")
    known = models.list_models(module=models)
    if name not in known:
        raise ValueError(unknown_name(f"torchvision:{name}", known, "torchvision:"))
    transforms = models.get_model_weights(name).DEFAULT.transforms()
    sized = {"image_size": size} if size and name.startswith("vit") else {}
    with hub_errors(f"torchvision:{name}"):
        whole = models.get_model(name, weights="DEFAULT" if weights == PRETRAINED else None, **sized, **options)
    model = remove_head(whole, name)
    size = size or options.get("image_size") or transforms.crop_size[0]
    trained = load_weights(model, weights, f"torchvision:{name}")
    return HeadlessModel(model, size, tuple(transforms.mean), tuple(transforms.std), trained)


def transformers_model(
    folder: str, *, weights: str | Path | None, size: int | None, options: Mapping[str, Any]
) -> HeadlessModel:
    """Builds an image model of transformers.

    Args:
        folder: A folder that `save_pretrained` wrote.
        weights: A file; with `None` those of the folder, or random ones if it has none.
        size: As in `timm_model`.
        options: Entries of the configuration to change.

    Raises:
        ValueError: If the folder holds no model, an option is unknown, or as `load_strict` and `normalisation`.
        ImportError: If transformers is not installed.
    """
    config = load_config(folder, "vision_config", {**options, **({"image_size": size} if size else {})})
    model, trained = load_transformers(folder, config, weights)
    size = size or getattr(config, "image_size", None) or 224
    mean, std = normalisation(read_json(folder, "preprocessor_config.json"), f"transformers:{folder}")
    return HeadlessModel(model, size if isinstance(size, int) else size[0], mean, std, trained)


def normalisation(front_end: Mapping[str, Any], name: str) -> tuple[Rgb, Rgb]:
    """Returns mean and standard deviation of values in [0, 1] that do what a `preprocessor_config.json` says.

    Args:
        front_end: Its content; empty for the default.
        name: The backbone that errors name.

    Raises:
        ValueError: If the model takes its colours in another order, or a number for each of three colours is missing.
    """
    if front_end.get("do_flip_channel_order"):
        raise ValueError(
            f"{name}: its preprocessor_config.json asks for blue, green and red (do_flip_channel_order), but frames "
            "are red, green and blue here: take a model of another kind."
        )
    default = Preprocess()
    given = [front_end.get(f"image_{which}", getattr(default, which)) for which in ("mean", "std")]
    of_each = [[numbers] * 3 if isinstance(numbers, int | float) else [*numbers] for numbers in given]
    if any(len(numbers) != 3 for numbers in of_each):
        raise ValueError(f"{name}: its preprocessor_config.json has image_mean and image_std {given}, not of RGB.")
    mean, std = of_each if front_end.get("do_normalize", True) else ([0.0] * 3, [1.0] * 3)
    # pixels of 0 to 255 are rescaled, and moved by one where `rescale_offset` says so, before they are normalised
    scale = 255 * float(front_end.get("rescale_factor", 1 / 255)) if front_end.get("do_rescale", True) else 255.0
    offset = 1.0 if front_end.get("rescale_offset") and front_end.get("do_rescale", True) else 0.0
    scale = 1.0 if abs(scale - 1) < 1e-6 else scale  # 0.00392156862745098 in a file is 1/255
    red, green, blue = ((one + offset) / scale for one in mean)
    spread = tuple(one / scale for one in std)
    return (red, green, blue), (spread[0], spread[1], spread[2])


def load_config(folder: str, part: str, options: Mapping[str, Any]) -> Any:
    """Loads the configuration of a model of transformers.

    Args:
        folder: A folder that `save_pretrained` wrote.
        part: The part of a multi-modal model to return, as `"vision_config"`; others are returned whole.
        options: Entries to change.

    Raises:
        ValueError: If the folder holds no configuration, or it has no such entry.
    """
    transformers = import_library("transformers")
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


def load_transformers(folder: str, config: Any, weights: str | Path | None) -> tuple[nn.Module, bool]:
    """Builds the model of a configuration with the weights of its folder, those of a file, or random ones.

    Returns:
        The model, and whether weights were loaded.
    """
    name = type(config).__name__.removesuffix("Config") + "Model"
    model_class = getattr(import_library("transformers"), name, None)
    if model_class is None:
        raise ValueError(f"transformers:{folder} is a {config.model_type}, and transformers has no {name}.")
    if weights not in (None, PRETRAINED) or not any(Path(folder).glob("*.safetensors")):
        model = model_class(config)
        return model, load_weights(model, None if weights == PRETRAINED else weights, f"transformers:{folder}")
    keywords = {"config": config, "local_files_only": True, "use_safetensors": True, "output_loading_info": True}
    with hub_errors(f"transformers:{folder}"):
        model, report = model_class.from_pretrained(folder, **keywords)
    # Releases differ in whether a checkpoint in half precision comes back as such: here weights are float32.
    model = model.float()
    # A pooler is part of the class but of few checkpoints, and its output is not used here.
    missing = sorted(name for name in report["missing_keys"] if "pooler" not in name)
    if missing:
        raise ValueError(f"transformers:{folder}: its file lacks {len(missing)} tensors of {name}, as {missing[:3]}.")
    return model, True


def read_json(folder: str, file: str) -> dict[str, Any]:
    """Reads a JSON file of a model's folder; an empty dictionary if there is none."""
    path = Path(folder) / file
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def load_weights(model: nn.Module, weights: str | Path | None, name: str) -> bool:
    """Loads a file of weights, every tensor of it except a classifier's; returns whether the model has been trained.

    Args:
        model: The model, which has the library's weights already if `weights` is `"pretrained"`.
        weights: A file, `"pretrained"`, or `None`.
        name: The backbone that errors name.
    """
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
        """Takes the parts of a `VisionTransformer`, without its head."""
        super().__init__()
        self.conv_proj, self.encoder = whole.get_submodule("conv_proj"), whole.get_submodule("encoder")
        self.class_token = whole.get_parameter("class_token")

    def forward(self, frames: Tensor) -> Tensor:
        """Computes the tokens of frames `(frame, 3, height, width)`."""
        patches = self.conv_proj(frames).flatten(2).mT
        return self.encoder(torch.cat([self.class_token.expand(frames.shape[0], -1, -1), patches], dim=1))


def remove_head(whole: nn.Module, name: str) -> nn.Module:
    """Returns a classifier of torchvision up to its last tokens or feature map.

    Raises:
        ValueError: If it is no ViT, Swin, ConvNeXt or ResNet.
    """
    parts = dict(whole.named_children())
    if {"conv_proj", "encoder"} <= parts.keys():
        return VitTokens(whole)
    # a ResNet up to its last stage; the others keep their blocks in `features`
    kept = list(parts)[: list(parts).index("layer4") + 1] if "layer4" in parts else ["features", "norm"]
    if kept[0] not in parts:
        raise ValueError(
            f"torchvision:{name} is no ViT, Swin, ConvNeXt or ResNet, and where it ends is not known: take it from "
            "timm, or cut it yourself with sections_of."
        )
    return nn.Sequential(OrderedDict((part, parts[part]) for part in kept if part in parts))


@contextmanager
def hub_errors(name: str) -> Iterator[None]:
    """Turns the `OSError` of a hub that cannot be reached into a `ConnectionError` that says what to do."""
    try:
        yield
    except OSError as error:
        raise ConnectionError(
            f"{name}: its weights could not be fetched ({error}): get them in another way and give the file as weights."
        ) from error


def import_library(library: str) -> ModuleType:
    """Imports a library.

    Raises:
        ImportError: If it is not installed; says how to install it.
    """
    try:
        return import_module(library)
    except ImportError as error:
        raise ImportError(f"a model of {library} needs it ({error}): pip install {library}.") from error


def unknown_name(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Returns the message for an unknown name, with near misses."""
    known = [prefix + one for one in known]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) or known[:3]
    return f"there is no backbone {name!r}; nearest: {', '.join(map(repr, near))} (of {len(known)})."
