"""Inverse dynamics in training: windows, commands along sequences, dreams and certainty."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

from scipy.stats import norm  # noqa: E402

from wm_planner import actions  # noqa: E402
from wm_planner.inverse_dynamics.chain_variance import chain_variance  # noqa: E402
from wm_planner.training.calibration import calibrate, set_aside  # noqa: E402
from wm_planner.training.export import _checked  # noqa: E402
from wm_planner.training.inverse_dynamics_training import inverse_dynamics_loss  # noqa: E402
from wm_planner.training.inverse_dynamics_windows import (  # noqa: E402
    FrameSequences,
    WindowDrawer,
)
from wm_planner.training.made_frames import as_sequences, made_once, pieces  # noqa: E402
from wm_planner.training.networks.flow_head import FlowHead  # noqa: E402
from wm_planner.training.networks.inverse_dynamics import (  # noqa: E402
    CALIBRATED,
    InverseDynamics,
    InverseDynamicsSettings,
)
from wm_planner.training.reading import read_commands  # noqa: E402


def network(window: int, seed: int = 0) -> InverseDynamics:
    torch.manual_seed(seed)
    sizes = InverseDynamicsSettings(tokens=3, channels=4, width=16, window=window)
    model = InverseDynamics(sizes, torch.zeros(20), torch.ones(20)).eval()
    for parameter in model.parameters():  # the zero-initialised ones would hide dependencies
        torch.nn.init.normal_(parameter, std=0.2)
    return model.requires_grad_(False)


def numbered(lengths=(5, 2, 9, 4), kinds=("expert", "play", "expert", "stills")) -> FrameSequences:
    """Sequences whose latents, poses and targets are the number of their frame."""
    count = sum(lengths)
    number = np.arange(count, dtype=np.float32)
    return FrameSequences(
        frames=np.broadcast_to(number[:, None, None], (count, 3, 4)),
        hand_pose=np.broadcast_to(number[:, None], (count, 20)),
        hand_target=np.broadcast_to(number[:, None] + 0.5, (count, 20)),
        offsets=np.cumsum([0, *lengths]),
        kind=np.array(kinds),
    )


@pytest.mark.parametrize("window", [2, 3, 8])
def test_windows_hold_what_belongs_to_their_frames(window):
    data = numbered()
    drawn = WindowDrawer(data, window, anywhere_share=0.5).draw(np.random.default_rng(0), 400)
    at = drawn.frames[..., 0, 0]
    assert at.shape == (400, window)
    np.testing.assert_array_equal(drawn.pose[..., 0], at)
    np.testing.assert_array_equal(drawn.command[..., 0], at[:, :-1] + 0.5)
    sequence = np.searchsorted(data.offsets, at, side="right") - 1
    assert (sequence == sequence[:, :1]).all()
    still = sequence[:, 0] == 3
    steps = np.diff(at, axis=1)
    assert (steps[still] == 0).all() and drawn.there[still].all()
    np.testing.assert_array_equal(drawn.there[~still], steps[~still] == 1)
    assert drawn.there.any(axis=1).all()
    assert not drawn.commanded[still][..., [9, 19]].any()
    np.testing.assert_array_equal(drawn.commanded[..., 0], drawn.there)
    assert 0.4 < np.isin(sequence[:, 0], [1, 3]).mean() < 0.6


def test_windows_of_chosen_sequences_alone_are_drawn():
    chosen = np.array([False, True, True, False])
    drawn = WindowDrawer(numbered(), 3, chosen).draw(np.random.default_rng(0), 100)
    assert set(drawn.frames[..., 0, 0].ravel()) == set(range(5, 16))


@pytest.mark.parametrize("window", [2, 3, 5, 8])
@pytest.mark.parametrize("length", [2, 3, 7, 13])
def test_commands_along_a_sequence_are_those_of_windows_that_cover_it(window, length):
    """Laid end to end, each pair's answer must come from a window that really holds it."""
    model = network(window)
    frames = torch.randn(2, length, 3, 4)
    got = model.commands(frames)
    assert got.shape == (2, length - 1, 20)
    padded = torch.cat([frames, frames[:, -1:].expand(-1, max(window - length, 0), -1, -1)], 1)
    answers = {
        start: model(padded[:, start : start + window])[2]
        for start in range(padded.shape[1] - window + 1)
    }
    for pair in range(length - 1):
        of_pair = [a[:, pair - s] for s, a in answers.items() if 0 <= pair - s < window - 1]
        assert any(torch.allclose(got[:, pair], a, atol=1e-5) for a in of_pair), pair


def test_a_fresh_window_answers_as_the_pairs_it_consists_of():
    """So a model of two frames is a good start for one of more."""
    torch.manual_seed(0)
    long = InverseDynamics(
        InverseDynamicsSettings(tokens=3, channels=4, width=16, window=6),
        torch.zeros(20), torch.ones(20),
    ).eval()  # fmt: skip
    short = network(2)
    short.load_state_dict({k: v for k, v in long.state_dict().items() if "blocks" not in k})
    frames = torch.randn(2, 6, 3, 4)
    torch.testing.assert_close(long(frames)[2], short.commands(frames))


def test_weights_of_before_there_was_a_calibration_load():
    model = network(2)
    old = {k: v for k, v in model.state_dict().items() if k not in CALIBRATED}
    network(2, seed=1).load_state_dict(old)


def test_answers_agree_with_those_of_single_windows_where_there_is_one():
    model = network(4)
    frames = np.random.default_rng(0).normal(size=(3, 4, 3, 4)).astype(np.float32)
    packed, variance, _ = read_commands(model, frames, dreamed=False)
    _, _, command, log_variance, _ = model(torch.from_numpy(frames))
    wanted = actions.pack(actions.unpack(command.numpy()))
    np.testing.assert_allclose(packed, wanted, atol=1e-5)
    np.testing.assert_allclose(variance[..., 0], np.exp(log_variance.numpy())[..., 0], rtol=1e-4)


def test_pieces_lie_within_episodes_that_have_motion(source):
    frames = pieces(source, horizon=4, count=200, seed=0)
    episode = np.searchsorted(source.offsets, frames, side="right") - 1
    assert (episode == episode[:, :1]).all()
    assert set(np.asarray(source.kind)[episode[:, 0]]) == {"expert", "play", "failure"}
    assert not len(pieces(source, horizon=12, count=5, seed=0))


def test_making_frames_goes_on_where_it_was_interrupted(tmp_path, source):
    frames = pieces(source, horizon=4, count=100, seed=0)
    made = []

    def make(rows, first):
        if len(made) == 2:
            made.append(None)
            raise KeyboardInterrupt
        made.append(first)
        return np.repeat(rows[..., None] + 1.0, 6, axis=2).reshape(*rows.shape, 3, 2)

    with pytest.raises(KeyboardInterrupt):
        made_once(tmp_path / "made.npy", frames, (3, 2), make)
    result = made_once(tmp_path / "made.npy", frames, (3, 2), make)
    assert made == [0, 32, None, 64, 96]
    np.testing.assert_array_equal(result[..., 0, 0], frames + 1)
    sequences = as_sequences(source, frames, result)
    np.testing.assert_array_equal(
        sequences.hand_pose, source.hand_pose[frames.ravel()].astype("f4")
    )
    assert sequences.offsets[-1] == len(sequences.frames) == 500


def heavy_tailed(shared: float, episodes: int = 400, horizon: int = 6) -> FrameSequences:
    """Chains whose targets are missed by errors of which neighbours share a part."""
    generator = np.random.default_rng(1)
    length = horizon + 1
    pose = np.tile([*np.zeros(3), 1.0, 0, 0, 0, 1, 0, 0.05], (episodes * length, 2))
    error = generator.standard_t(5, (episodes, length, 20)) * (1 - shared)
    error += generator.standard_t(5, (episodes, 1, 20)) * shared
    target = pose + 0.01 * error.reshape(-1, 20)
    target = actions.pack(actions.unpack(target)).astype(np.float32)
    latents = np.zeros((episodes * length, 3, 4), np.float32)
    offsets = np.arange(episodes + 1) * length
    return FrameSequences(latents, pose.astype("f4"), target, offsets, np.full(episodes, "expert"))


@pytest.mark.parametrize("shared", [0.0, 0.8])
def test_after_calibration_the_intervals_hold_on_other_episodes(shared):
    """Whatever was stated before, heavy tails and shared errors notwithstanding."""
    data, horizon = heavy_tailed(shared), 6
    model = network(3)
    for parameter in model.parameters():
        parameter.zero_()
    # The network knows the middle of the targets and is off by far in how sure it is.
    model.mean.copy_(torch.from_numpy(data.hand_pose[0]))
    aside = set_aside(np.arange(400), seed=0, share=0.5)
    stated = calibrate(model, {"real": (data, aside)}, horizon)
    assert set(stated) == {f"real frames, {p}" for p in ("positions", "rotations", "widths")}
    assert all(87 < share < 93 for share in stated.values()), stated
    assert (model.correlation[0] > 0.3) == (shared > 0)

    others = np.flatnonzero(~aside)
    frame = data.offsets[others][:, None] + np.arange(horizon + 1)
    packed, variance, correlation = read_commands(model, data.frames[frame], False)
    inside = []
    for row, got, sure, shared_part in zip(frame, packed, variance, correlation, strict=True):
        measured = actions.unpack(data.hand_pose[row[0]])
        wanted = actions.unpack(data.hand_target[row[:-1]][None])
        targets = actions.unpack(got[None])
        wrong = actions.difference(measured, targets) - actions.difference(measured, wanted)
        stated_variance = chain_variance(measured, targets, sure[None], shared_part[None])
        inside.append(np.abs(wrong) <= norm.ppf(0.95) * np.sqrt(stated_variance))
    share = np.mean(inside, axis=(0, 1, 2))
    assert 0.86 < share[[0, 1, 2, 10, 11, 12]].mean() < 0.94
    assert 0.86 < share[[9, 19]].mean() < 0.94


def test_recordings_are_set_aside_whole_whatever_number_of_episodes_is_made_of_each():
    recordings = np.arange(300)
    alone = set_aside(recordings, seed=4, share=0.2)
    assert 0.1 < alone.mean() < 0.3
    for phases in (2, 6):
        several = set_aside(np.repeat(recordings, phases), seed=4, share=0.2)
        np.testing.assert_array_equal(
            several.reshape(-1, phases), np.repeat(alone[:, None], phases, 1)
        )


@pytest.mark.parametrize("seed", range(20))
def test_of_a_few_recordings_one_is_set_aside_but_never_all_of_a_single_one(seed):
    few = set_aside(np.repeat(np.arange(3), 4), seed, share=0.03)
    assert few.sum() >= 4 and not few.all()
    assert not set_aside(np.arange(3), seed, share=0.0).any()
    assert not set_aside(np.zeros(5, int), seed, share=0.03).any()


def test_calibration_without_episodes_leaves_the_network_as_it_is():
    model = network(2)
    nobody = np.zeros(4, bool)
    assert calibrate(model, {"real": (numbered(), nobody)}, 3) == {}
    assert not model.log_scale.any()


def test_a_flow_learns_what_the_regression_leaves():
    """Errors of two kinds, equally likely: draws show both, a Gaussian has its most in between."""
    torch.manual_seed(0)
    flow = FlowHead(features=3, size=2, width=64)
    optimiser = torch.optim.AdamW(flow.parameters(), 5e-3)
    for _ in range(600):
        side = torch.randint(0, 2, (256, 1)) * 2.0 - 1
        sample = torch.cat([side, 0.3 * torch.randn(256, 1)], -1)
        optimiser.zero_grad()
        flow.loss(torch.zeros(256, 3), sample).mean().backward()
        optimiser.step()
    with torch.no_grad():
        drawn = flow.draw(torch.zeros(1, 1, 3), torch.randn(1, 2000, 1, 2))[0, :, 0]
    assert abs(drawn[:, 0].mean()) < 0.15
    assert (drawn[:, 0].abs() > 0.5).float().mean() > 0.8
    assert abs(drawn[:, 1].std() - 0.3) < 0.15


def test_more_draws_of_a_flow_scatter_less():
    torch.manual_seed(0)
    sizes = InverseDynamicsSettings(tokens=3, channels=4, width=16, window=3, head="flow")
    model = InverseDynamics(sizes, torch.zeros(20), torch.ones(20)).eval().requires_grad_(False)
    frames = torch.randn(1, 3, 3, 4).expand(200, -1, -1, -1)
    scatter = [
        float(model(frames, noise=torch.randn(200, draws, 2, 20))[2].std(0).mean())
        for draws in (2, 32)
    ]
    assert scatter[1] < 0.35 * scatter[0]
    variance = model(frames[:1], noise=torch.randn(1, 1000, 2, 20))[3].exp()
    torch.testing.assert_close(model(frames, noise=torch.randn(200, 2, 2, 20))[2].var(0)[None] * 2,
                               variance, rtol=0.6, atol=0)  # fmt: skip


def test_dreams_get_a_certainty_of_their_own():
    """Errors three times as large in dreams that look the same; both intervals hold."""
    real, dreams = heavy_tailed(0.3), heavy_tailed(0.3)
    target = real.hand_pose + 3 * (dreams.hand_target - real.hand_pose)
    target = actions.pack(actions.unpack(target)).astype(np.float32)
    dreams = dataclasses.replace(dreams, hand_target=target)
    model = network(3)
    for parameter in model.parameters():
        parameter.zero_()
    model.mean.copy_(torch.from_numpy(real.hand_pose[0]))
    everything = np.ones(400, bool)
    stated = calibrate(model, {"real": (real, everything), "dreamed": (dreams, everything)}, 6)
    assert len(stated) == 6
    assert all(86 < share < 94 for share in stated.values()), stated
    assert (model.dreamed_log_scale - model.log_scale)[0] == pytest.approx(2 * np.log(3), abs=0.3)


@pytest.mark.parametrize("window", [2, 3])
def test_a_calibrated_network_can_be_exported(window):
    """Its outputs are named as buffers are, and a graph's names have to be unique."""
    model = network(window)
    for name in CALIBRATED:
        model.get_buffer(name).uniform_(0.1, 0.5)
    inputs = {"frames": torch.randn(3, window, 3, 4), "dreamed": torch.tensor([0.0, 1.0, 1.0])}
    outputs = ("pose", "next_pose", "command", "log_variance", "correlation")
    graph = _checked("inverse_dynamics", model, inputs, outputs, "N")  # as torch, or it raises
    assert tuple(tensor.name for tensor in graph.spec.outputs) == outputs


def test_scene_noise_moves_all_frames_of_a_window_alike():
    """What changes from frame to frame, which is what hands do, must stay to be seen."""
    seen = []

    class Watched(InverseDynamics):
        def features(self, frames):
            seen.append(frames.detach())
            return super().features(frames)

    torch.manual_seed(0)
    sizes = InverseDynamicsSettings(tokens=3, channels=4, width=16, window=3)
    model = Watched(sizes, torch.zeros(20), torch.ones(20))
    for scene_noise in (0.0, 2.0):
        torch.manual_seed(1)
        loss = inverse_dynamics_loss([(WindowDrawer(numbered(), 3), 1.0)], 32, scene_noise)
        loss(model, np.random.default_rng(1), 0.0)
    moved = seen[1] - seen[0]
    torch.testing.assert_close(moved, moved[:, :1].expand_as(moved), atol=1e-5, rtol=0)
    assert moved[:, 0].flatten(1).std(1).max() > 1.0
    assert torch.unique(moved[:, 0, 0, 0]).numel() == 32
