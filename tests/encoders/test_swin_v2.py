import pytest
import torch
from released_layouts import randomised

from crossmodal.checkpoints import import_swin_v2
from crossmodal.encoders import swin_v2, swin_v2_large


def timm_model(image, **sizes):
    timm = pytest.importorskip("timm.models.swin_transformer_v2")
    return randomised(timm.SwinTransformerV2(img_size=image, num_classes=0, **sizes))


def timm_stages(model, frames):
    """Streams of a timm model after its patch embedding and after every stage, and its normalised last one."""
    grid, found = model.patch_embed(frames), []
    found.append(grid)
    for layer in model.layers:
        grid = layer(grid)
        found.append(grid)
    return [grid.flatten(1, 2) for grid in (*found, model.norm(grid))]


def our_stages(encoder, frames):
    """The same points of ours: timm merges before a stage, we at the end of the one before it."""
    stream = encoder.stem(frames)
    found = [stream]
    for site in encoder.sites[1:]:
        if site.part == "merge":
            found.append(stream)
        stream = encoder.section(site.name)(stream)
    return [*found, stream, encoder.head(stream)]


@pytest.mark.parametrize(
    ("image", "sizes"),
    [
        (64, {"embed_dim": 16, "depths": (2, 2, 2), "num_heads": (2, 4, 4), "window_size": 4}),
        (48, {"embed_dim": 12, "depths": (2, 3), "num_heads": (3, 6), "window_size": 6, "mlp_ratio": 2.0}),
        (32, {"embed_dim": 8, "depths": (1, 2, 2), "num_heads": (1, 2, 4), "window_size": 8}),
    ],
)
def test_every_stage_is_timms(image, sizes):
    torch.manual_seed(0)
    theirs = timm_model(image, **sizes).double()
    ours = swin_v2(
        image,
        width=sizes["embed_dim"],
        depths=sizes["depths"],
        heads=sizes["num_heads"],
        window=sizes["window_size"],
        mlp_ratio=sizes.get("mlp_ratio", 4.0),
    ).double()
    import_swin_v2(ours, theirs.state_dict())
    frames = torch.randn(2, 3, image, image, dtype=torch.float64)
    with torch.no_grad():
        pairs = list(zip(our_stages(ours.eval(), frames), timm_stages(theirs, frames), strict=True))
        for stage, (our, their) in enumerate(pairs):
            torch.testing.assert_close(our, their, atol=1e-10, rtol=0, msg=lambda text, at=stage: f"point {at}: {text}")
        assert torch.equal(ours(frames), pairs[-1][0])


@pytest.mark.slow
def test_full_size_is_timms():
    torch.manual_seed(0)
    theirs = timm_model(192, embed_dim=192, depths=(2, 2, 18, 2), num_heads=(6, 12, 24, 48), window_size=12)
    with torch.device("meta"):
        ours = swin_v2_large()
    import_swin_v2(ours, theirs.state_dict())
    frames = torch.randn(2, 3, 192, 192)
    with torch.no_grad():
        for our, their in zip(our_stages(ours.eval(), frames), timm_stages(theirs, frames), strict=True):
            torch.testing.assert_close(our, their, atol=1e-4, rtol=1e-4)


@pytest.fixture(scope="module")
def full():
    with torch.device("meta"):
        return swin_v2_large()


def test_full_size_has_the_published_parameters(full):
    assert sum(parameter.numel() for parameter in full.parameters()) == 195_202_932
    assert not list(full.buffers())


def test_full_size_traces_the_published_shapes(full):
    """Spec B.8: tokens and widths of the four stages, at every site."""
    stream = full.stem(torch.empty(10, 3, 192, 192, device="meta"))
    trace = [stream.shape]
    for section in full.sections.values():
        stream = section(stream)
        trace.append(stream.shape)
    assert [(shape[1], shape[2]) for shape in trace] == [(site.tokens, site.width) for site in full.sites]
    assert list(dict.fromkeys(map(tuple, trace))) == [
        (10, 2304, 192),
        (10, 576, 384),
        (10, 144, 768),
        (10, 36, 1536),
    ]
    assert full.head(stream).shape == (10, 36, 1536)


def test_full_size_windows_are_clipped_as_published(full):
    found = {
        (site.stage, site.block): full.section(site.name).body.windows
        for site in full.sites
        if site.part == "attention"
    }
    shifts = {stage: {windows.shift for (at, _), windows in found.items() if at == stage} for stage in range(4)}
    assert shifts == {0: {(0, 0), (6, 6)}, 1: {(0, 0), (6, 6)}, 2: {(0, 0)}, 3: {(0, 0)}}
    assert [found[stage, 0].window for stage in range(4)] == [(12, 12), (12, 12), (12, 12), (6, 6)]
    assert found[0, 1].shift == found[1, 1].shift == (6, 6)


def test_stochastic_depth_grows_linearly_over_24_blocks(full):
    rates = [full.section(site.name).drop.p for site in full.sites if site.part == "mlp"]
    assert rates == pytest.approx(torch.linspace(0, 0.1, 24).tolist())


def test_untrained_half_blocks_are_identities():
    encoder = swin_v2(16, width=8, depths=(2,), heads=(2,), window=2)
    stream = encoder.stem(torch.randn(1, 3, 16, 16))
    for section in encoder.sections.values():
        assert torch.equal(section(stream), stream)


def test_sites_are_rows_and_columns_of_the_picture():
    """A patch that changes reaches exactly the tokens whose site coordinates it lies under, merged or not."""
    torch.manual_seed(0)
    encoder = swin_v2(32, width=8, depths=(1, 1, 1), heads=(1, 1, 1), window=2).eval()
    before = torch.randn(1, 3, 32, 32)
    after = before.clone()
    after[:, :, 4 * 5 : 4 * 6, 4 * 2 : 4 * 3] += 1  # patch row 5, column 2
    first, second = encoder.stem(before), encoder.stem(after)
    for site in encoder.sites:
        if site.name != "stem":
            first, second = (encoder.section(site.name)(stream) for stream in (first, second))
        changed = (first != second).any(-1)[0].nonzero().flatten().tolist()
        halvings = site.stage + (site.part == "merge")
        assert [(site.axes["row"][token], site.axes["column"][token]) for token in changed] == [
            (5 >> halvings, 2 >> halvings)
        ]


@pytest.mark.parametrize(
    ("image", "sizes", "message"),
    [
        (224, {}, "CosineWindowAttention: window=12 must tile rows=56 of the grid; possible are"),
        (90, {}, r"PatchEmbedding: patch=4 must divide both sides of size=\(90, 90\)"),
        (80, {}, r"swin_v2: 4 stages halve the grid 3 times, so 8 must divide both sides .* grid=\(20, 20\)"),
        (192, {"heads": (5, 12, 24, 48)}, "CosineWindowAttention: heads=5 must divide width=192"),
        (192, {"depths": (2, 2)}, r"swin_v2: depths=\(2, 2\) and heads=\(6, 12, 24, 48\) must name the same stages"),
    ],
)
def test_sizes_that_cannot_be_built_are_refused(image, sizes, message):
    with torch.device("meta"), pytest.raises(ValueError, match=message):
        swin_v2(image, **sizes)


def test_frames_of_another_size_are_refused():
    encoder = swin_v2(16, width=8, depths=(1,), heads=(2,), window=2)
    with pytest.raises(ValueError, match=r"picture is \(3, 20, 16\).* built for \(3, 16, 16\)"):
        encoder(torch.zeros(1, 3, 20, 16))
