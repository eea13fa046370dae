"""Causal conversion: exact on what is linear in time, and blind to the future."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

from torch import nn  # noqa: E402

from wm_planner.errors import ConfigurationError  # noqa: E402
from wm_planner.training.causal_conversion import (  # noqa: E402
    causal_convolution,
    first_leak,
    make_causal,
)
from wm_planner.training.causal_layers import (  # noqa: E402
    CausalConv3d,
    FrameGroupNorm,
    causal_kernel,
)

FRAMES = 12


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def linear_signal(*shape):
    """Random lines a + b t, shape (2, 3, FRAMES, *shape)."""
    start, slope = torch.randn(2, 2, 3, 1, *shape, dtype=torch.float64)
    return start + slope * torch.arange(FRAMES).view(-1, *[1] * len(shape))


def make(kind, taps, **options):
    if kind is nn.Conv1d:
        return nn.Conv1d(3, 4, taps, padding=taps // 2, dtype=torch.float64, **options)
    sizes = {"kernel_size": (taps, 3, 3), "padding": (taps // 2, 1, 1)}
    return nn.Conv3d(3, 4, dtype=torch.float64, **{**sizes, **options})


def test_three_taps_become_what_the_paper_says():
    kernel = torch.tensor([5.0, 7.0, 11.0]).view(1, 1, 3)
    assert causal_kernel(kernel).flatten().tolist() == [0, 5 - 11, 7 + 2 * 11]


@pytest.mark.parametrize("taps", [1, 3, 5, 7, 9])
@pytest.mark.parametrize("kind", [nn.Conv1d, nn.Conv3d])
def test_the_conversion_is_exact_on_linear_signals(kind, taps):
    original = make(kind, taps)
    converted = causal_convolution(original)
    signal = linear_signal(*((4, 5) if kind is nn.Conv3d else ()))
    inside = slice(taps // 2, FRAMES - taps // 2)  # the original needs both its neighbours
    assert (original(signal)[:, :, inside] - converted(signal)[:, :, inside]).abs().max() < 1e-12
    # At the end only the converted one goes on: continue the line to see that it is right.
    slope = signal[:, :, -1:] - signal[:, :, -2:-1]
    more = torch.cat([signal, *(signal[:, :, -1:] + k * slope for k in range(1, 9))], 2)
    torch.testing.assert_close(
        converted(signal)[:, :, taps:], original(more)[:, :, taps:FRAMES], rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("taps", [3, 5])
def test_a_video_that_stands_still_is_exact_from_the_first_frame_on(taps):
    original = make(nn.Conv3d, taps)
    still = torch.randn(2, 3, 1, 4, 5, dtype=torch.float64).expand(-1, -1, FRAMES, -1, -1)
    inside = original(still)[:, :, FRAMES // 2, None]
    converted = causal_convolution(original)(still)
    torch.testing.assert_close(converted, inside.expand_as(converted))


@pytest.mark.parametrize("taps", [3, 5, 7])
@pytest.mark.parametrize("kind", [nn.Conv1d, nn.Conv3d])
def test_the_conversion_is_strictly_causal_and_the_original_is_not(kind, taps):
    original = make(kind, taps)
    frames = torch.randn(1, 3, FRAMES, *((4, 5) if kind is nn.Conv3d else ()), dtype=torch.float64)
    assert "frame 1 changes output 0" in first_leak(original, frames, axis=2)
    assert first_leak(causal_convolution(original), frames, axis=2, tolerance=0) is None


def test_curved_signals_differ_so_the_test_on_lines_can_fail():
    original = make(nn.Conv1d, 3)
    curve = linear_signal() ** 2
    difference = original(curve) - causal_convolution(original)(curve)
    assert difference[:, :, 1:-1].abs().max() > 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": (2, 1, 1)}, "stride 2"),
        ({"dilation": (2, 1, 1)}, "dilation 2"),
        ({"padding": 0}, r"padding \(0, 0, 0\)"),
        ({"padding_mode": "replicate"}, "of replicate"),
    ],
)
def test_convolutions_of_another_geometry_are_refused(options, message):
    with pytest.raises(ConfigurationError, match=f"blocks.3: cannot be made causal.*{message}"):
        causal_convolution(make(nn.Conv3d, 3, **options), name="blocks.3")


def test_even_kernels_are_refused():
    with pytest.raises(ConfigurationError, match="4 taps, expected an odd number"):
        causal_kernel(torch.zeros(1, 1, 4))


def test_a_network_is_converted_in_place_under_the_same_names():
    network = nn.Sequential(
        nn.Conv3d(3, 8, (3, 1, 1), padding=(1, 0, 0)), nn.GroupNorm(2, 8),
        nn.Sequential(nn.SiLU(), nn.Conv3d(8, 3, 3, padding="same", bias=False)),
        nn.Conv3d(3, 3, 1),
    )  # fmt: skip
    frames = torch.randn(2, 3, 6, 4, 5)
    before = {name: value.shape for name, value in network.state_dict().items()}
    assert first_leak(network, frames, axis=2)
    done = make_causal(network)
    assert done.convolutions == ("0", "2.1") and done.norms == ("1",)
    assert {name: value.shape for name, value in network.state_dict().items()} == before
    assert first_leak(network, frames, axis=2) is None
    # Converting again changes nothing, so that a converted checkpoint can be loaded.
    weights = network.state_dict()
    assert make_causal(network).convolutions == ()
    fresh = nn.Sequential(
        nn.Conv3d(3, 8, (3, 1, 1), padding=(1, 0, 0)), nn.GroupNorm(2, 8),
        nn.Sequential(nn.SiLU(), nn.Conv3d(8, 3, 3, padding="same", bias=False)),
        nn.Conv3d(3, 3, 1),
    )  # fmt: skip
    fresh.load_state_dict(weights)
    make_causal(fresh, extrapolate=False)
    assert isinstance(fresh[0], CausalConv3d)
    torch.testing.assert_close(fresh(frames), network(frames))


def test_a_norm_over_frames_agrees_where_the_video_stands_still():
    norm = nn.GroupNorm(2, 8)
    still = torch.randn(2, 8, 1, 4, 5).expand(-1, -1, 6, -1, -1)
    torch.testing.assert_close(FrameGroupNorm(2, 8)(still), norm(still))
    picture = torch.randn(2, 8, 4, 5)
    torch.testing.assert_close(FrameGroupNorm(2, 8)(picture), norm(picture))
