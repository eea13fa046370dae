"""What must hold of the networks whatever their weights are."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

from wm_planner.training.networks.denoiser import Denoiser  # noqa: E402
from wm_planner.training.networks.denoiser_settings import (  # noqa: E402
    CELL,
    PACKINGS,
    PREDICTIONS,
    DenoiserSettings,
)
from wm_planner.training.networks.inverse_dynamics import (  # noqa: E402
    InverseDynamics,
    InverseDynamicsSettings,
)
from wm_planner.training.networks.latent_packing import pack, unpack  # noqa: E402
from wm_planner.training.noisy_windows import NoisyWindows  # noqa: E402
from wm_planner.training.vocabulary import build_vocabulary, multi_hot  # noqa: E402
from wm_planner.training.windows import FAILURE, SUCCESS, UNKNOWN, Windows  # noqa: E402
from wm_planner.training.world_model_training import denoiser_loss  # noqa: E402

SIZES = DenoiserSettings(width=32, layers=2, vocabulary=5, horizon=6)


def fresh(**sizes):
    torch.manual_seed(0)
    sizes = dataclasses.replace(SIZES, **sizes)
    model = Denoiser(sizes, torch.zeros(20), torch.ones(20)).eval()
    for parameter in model.parameters():  # the zero-initialised ones would hide dependencies
        torch.nn.init.normal_(parameter, std=0.1)
    return model


@pytest.fixture
def denoiser():
    return fresh()


def conditions(batch=2):
    torch.manual_seed(1)
    frame = (12, 32)
    return {
        "context": torch.randn(batch, 2, *frame),
        "noisy": torch.randn(batch, 6, *frame),
        "signal": torch.rand(batch, 6),
        "words": torch.eye(5)[:batch],
        "goal": torch.randn(batch, *frame),
        "goal_given": torch.ones(batch, 1),
        "targets": torch.randn(batch, 6, 20),
        "targets_given": torch.ones(batch, 6),
        "outcome": torch.ones(batch, dtype=torch.long),
    }


@torch.no_grad()
@pytest.mark.parametrize("packing", PACKINGS)
def test_the_denoiser_is_strictly_causal(packing):
    denoiser = fresh(packing=packing)
    given = conditions()
    before = denoiser(**given)
    for name in ("noisy", "signal", "targets"):
        changed = given[name].clone()
        changed[:, 4:] += 0.5
        after = denoiser(**{**given, name: changed})
        torch.testing.assert_close(after[:, :4], before[:, :4], msg=name)
        assert (after[:, 4:] - before[:, 4:]).abs().max() > 1e-4, name


@torch.no_grad()
@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("chunk", [1, 2, 6])
def test_frames_after_their_memory_are_those_of_the_whole_window(packing, chunk):
    """In one go and piece by piece, where what comes before is known by keys and values alone."""
    denoiser = fresh(packing=packing)
    given = conditions()
    whole = denoiser(**given)
    sequence = ("signal", "targets", "targets_given")
    newest = given["context"][:, -1]
    fixed = {k: v for k, v in given.items() if k not in ("context", "noisy", *sequence)}
    seen = {"signal": torch.ones(2, 2), "targets": torch.randn(2, 2, 20),
            "targets_given": torch.ones(2, 2)}  # fmt: skip
    first, memory = torch.zeros(2, dtype=torch.long), denoiser.empty_memory(2)
    _, memory = denoiser.advance(given["context"], newest, first=first, memory=memory,
                                 **seen, **fixed)  # fmt: skip
    tokens = {"frame": 1, "column": 4, "cell": 12}[packing]
    assert memory.shape == (2, 2, 2, 4, 2 * tokens, 8)
    for start in range(0, 6, chunk):
        rows = slice(start, start + chunk)
        clean, own = denoiser.advance(
            given["noisy"][:, rows], newest, first=first + 2 + start, memory=memory,
            **{k: given[k][:, rows] for k in sequence}, **fixed,
        )  # fmt: skip
        torch.testing.assert_close(clean, whole[:, rows], atol=1e-5, rtol=1e-5)
        memory = torch.cat([memory, own], 4)


@torch.no_grad()
@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_what_an_untrained_network_predicts(prediction):
    """Its last layer starts at zero: the scene stands still, or the noise is answered."""
    torch.manual_seed(0)
    sizes = dataclasses.replace(SIZES, prediction=prediction)
    model = Denoiser(sizes, torch.zeros(20), torch.ones(20)).eval()
    torch.nn.init.zeros_(model.outputs.bias)
    given = conditions()
    clean = model(**given)
    expected = {"x": torch.zeros_like(clean), "v": given["noisy"]}.get(
        prediction, given["context"][:, -1:].expand_as(clean)
    )
    torch.testing.assert_close(clean, expected)


def test_a_mask_lets_through_what_is_masked_in_one_cell():
    sizes = dataclasses.replace(SIZES, prediction="masked_residual")
    model = Denoiser(sizes, torch.zeros(20), torch.ones(20)).eval()
    token = sizes.rows * sizes.channels
    with torch.no_grad():
        model.outputs.bias[:token] = 1.0
        model.outputs.bias[token:] = torch.tensor([-30.0, 0.0, 30.0])  # one for each row
    given = conditions()
    change = model(**given) - given["context"][:, -1:]
    rows = change.unflatten(2, (sizes.rows, sizes.columns)).mean((0, 1, 3, 4))
    torch.testing.assert_close(rows, torch.tensor([0.0, 0.5, 1.0]))


def test_a_shortcut_model_asked_for_a_tiny_step_is_the_plain_model(denoiser):
    torch.manual_seed(3)
    model = Denoiser(dataclasses.replace(SIZES, shortcut=True), torch.zeros(20), torch.ones(20))
    model.load_state_dict(denoiser.state_dict(), strict=False)
    given = conditions()
    torch.testing.assert_close(model(**given), denoiser(**given))
    far = {**given, "stride": torch.full((2, 6), 0.5)}
    torch.testing.assert_close(model(**far), denoiser(**given))  # its last layer starts at zero
    torch.nn.init.normal_(model.stride[-1].weight)
    assert not torch.allclose(model(**far), model(**given))


def test_every_condition_changes_the_dream_and_only_its_own_candidate(denoiser):
    given = conditions()
    before = denoiser(**given)
    other = {"words": torch.eye(5)[3], "goal_given": torch.zeros(1), "outcome": torch.tensor(2),
             "targets_given": torch.zeros(6), "context": torch.zeros(2, 12, 32)}  # fmt: skip
    for name, value in other.items():
        changed = given[name].clone()
        changed[0] = value
        after = denoiser(**{**given, name: changed})
        assert (after[0] - before[0]).abs().max() > 1e-4, name
        torch.testing.assert_close(after[1], before[1], msg=name)


@torch.no_grad()
def test_measured_grippers_change_every_dreamed_frame_of_their_own_candidate():
    """A network that is told them begins as one that is not."""
    told, widths = fresh(gripper_widths=True), 0.08 * torch.rand(2, 2, 2)
    given = conditions()
    before = told(**given, gripper_width=widths)
    for frame, hand in itertools.product(range(2), range(2)):
        changed = widths.clone()
        changed[0, frame, hand] += 0.5
        difference = (told(**given, gripper_width=changed) - before).abs().amax((2, 3))
        assert (difference[0] > 1e-4).all()
        assert (difference[1] < 1e-6).all()

    torch.manual_seed(0)
    untrained = Denoiser(told.settings, torch.zeros(20), torch.ones(20)).eval()
    torch.nn.init.normal_(untrained.outputs.weight)
    torch.testing.assert_close(untrained(**given, gripper_width=widths), untrained(**given))


@torch.no_grad()
def test_a_goal_or_target_that_is_not_given_does_not_matter(denoiser):
    given = conditions() | {"goal_given": torch.zeros(2, 1), "targets_given": torch.zeros(2, 6)}
    before = denoiser(**given)
    after = denoiser(**given | {"goal": torch.zeros(2, 12, 32), "targets": torch.zeros(2, 6, 20)})
    torch.testing.assert_close(after, before)


@pytest.mark.parametrize(
    ("packing", "second"),
    [("frame", None), ("column", [1, 5, 9]), ("cell", [1])],  # of the 3x4 grid
)
def test_packing_tokens_round_trips_and_keeps_blocks_together(packing, second):
    sizes = dataclasses.replace(SIZES, packing=packing)
    latents = torch.randn(2, 3, 12, 32)
    packed = pack(latents, sizes)
    assert packed.shape == (2, 3, sizes.groups, 12 * 32 // sizes.groups)
    torch.testing.assert_close(unpack(packed, sizes), latents)
    if second is None:
        torch.testing.assert_close(packed[:, :, 0], latents.flatten(2))
    else:
        torch.testing.assert_close(packed[:, :, 1], latents[:, :, second].flatten(2))


@torch.no_grad()
@pytest.mark.parametrize("packing", PACKINGS)
def test_hands_are_shown_to_the_token_that_holds_the_cells_they_are_drawn_in(packing):
    model = fresh(packing=packing, actions="hands")
    torch.nn.init.zeros_(model.hands.bias)
    sizes = model.settings
    for cell in range(sizes.tokens):
        row, column = divmod(cell, sizes.columns)
        hands = torch.zeros(1, 1, *sizes.hands_shape)
        hands[..., row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL] = 1
        reached = model._drawn(hands, torch.ones(1, 1))[0, 0].abs().amax(1) > 0
        latents = torch.zeros(1, 1, sizes.tokens, sizes.channels)
        latents[:, :, cell] = 1
        torch.testing.assert_close(reached, pack(latents, sizes)[0, 0].amax(1) > 0)


def test_words_are_those_of_the_training_set():
    vocabulary = build_vocabulary(["Lift the cube", "", "touch the markers"])
    assert vocabulary == ("cube", "lift", "markers", "the", "touch")
    hot = multi_hot(["lift THE cube!", ""], vocabulary)
    assert hot.tolist() == [[1, 1, 0, 1, 0], [0, 0, 0, 0, 0]]


def test_windows_hold_what_was_commanded_and_what_came_of_it(source):
    count = len(source.frames)
    latents = np.broadcast_to(np.arange(count)[:, None, None], (count, 12, 32))
    windows = Windows(source, latents.astype(np.float32), ("cube", "lift", "the"), 2, 4)
    drawn = windows.draw(np.random.default_rng(0), 300)
    number = drawn.latents[:, :, 0, 0].astype(int)  # which frame each one is
    episode = number // 12
    assert (episode == episode[:, :1]).all()
    assert not (np.array(source.kind)[episode[:, 0]] == "stills").any()
    steps = np.diff(number, axis=1)
    assert set(np.unique(steps)) <= {0, 1}
    measured = source.hand_pose[number[:, :2]][..., [9, 19]]
    np.testing.assert_allclose(drawn.gripper_width, measured, rtol=1e-6)
    # A target belongs to the frame before the one at which it is due.
    moving = steps[:, 1:] == 1
    due = source.hand_target[number[:, 1:-1]]
    np.testing.assert_allclose(drawn.targets[moving], due[moving], rtol=1e-6)
    kind = np.array(source.kind)[episode[:, 0]]
    assert set(drawn.outcome[kind == "play"]) == {UNKNOWN}
    assert set(drawn.outcome[kind == "failure"]) <= {FAILURE, SUCCESS}
    assert set(drawn.outcome[kind == "expert"]) == {SUCCESS}


def test_windows_of_near_misses_are_those_that_have_seen_the_object_elsewhere(source):
    place = np.arange(len(source.frames)) % 12
    source = dataclasses.replace(
        source, kind=["near_miss"] * 4 + ["recovery"] * 4, step_good=place < 5
    )
    latents = np.zeros((len(source.frames), 12, 32), np.float32)
    drawn = Windows(source, latents, ("cube", "lift", "the"), 2, 4).draw(
        np.random.default_rng(0), 300
    )
    newest = drawn.frame[:, 1]
    np.testing.assert_array_equal(drawn.missed, (newest < 48) & (place[newest] >= 5))
    assert 50 < drawn.missed.sum() < 150


def test_asked_for_what_is_not_there_windows_stand_still(source):
    """Scenes 0 to 3 hold the cube (object 0), scenes 4 to 7 the bar (object 1)."""
    here = np.repeat(np.arange(8) < 4, 12)
    source = dataclasses.replace(
        source,
        object_visible=np.stack([here, ~here], 1),
        task=["lift"] * 4 + ["pass"] * 4,
        instruction=["lift cube"] * 4 + ["pass bar"] * 4,
        kind=["expert"] * 8,
    )
    count = len(source.frames)
    latents = np.broadcast_to(np.arange(count)[:, None, None], (count, 12, 32))
    vocabulary = ("bar", "cube", "lift", "pass")
    windows = Windows(source, latents.astype(np.float32), vocabulary, 2, 4, impossible=0.3)
    drawn = windows.draw(np.random.default_rng(0), 400)
    number = drawn.latents[:, :, 0, 0].astype(int)
    asked_for_cube = drawn.words[:, 1] == 1
    absent = asked_for_cube != (number[:, 0] // 12 < 4)
    assert 0.2 < absent.mean() < 0.4
    still = (number == number[:, :1]).all(1)
    assert still[absent].all() and not still[~absent].any()
    assert set(number[absent, 0] % 12) == {0, 11}  # the arms rest at both ends
    assert set(drawn.outcome[absent]) == {SUCCESS}
    at_start = absent & (number[:, 0] % 12 == 0)
    pose = source.hand_pose[number[at_start, 0]]
    np.testing.assert_allclose(drawn.targets[at_start, -1], pose, rtol=1e-6)


def test_more_windows_begin_where_a_mistake_begins_to_be_mended(source):
    """Of 12 frames, the steps of 3 and 4 are bad: what is good again begins at 5."""
    good = np.ones((8, 12), bool)
    good[:4, 3:5] = False
    plain = ["expert"] * 8
    source = dataclasses.replace(source, step_good=good.ravel(), kind=plain, success=[True] * 8)
    count = len(source.frames)
    latents = np.broadcast_to(np.arange(count)[:, None, None], (count, 12, 32))
    shares = []
    for turns in (0.0, 0.6):
        windows = Windows(source, latents.astype(np.float32), ("lift",), 2, 4, turns=turns)
        newest = windows.draw(np.random.default_rng(0), 2000).latents[:, 1, 0, 0].astype(int)
        turning = np.isin(newest % 12, (5, 6, 7))
        mended = newest < 48
        shares.append([turning[mended].mean(), turning[~mended].mean()])
    without, with_turns = np.array(shares)
    assert with_turns[0] > 0.6 + 0.3 * without[0]
    np.testing.assert_allclose(with_turns[1], without[1], atol=0.05)


def test_a_dream_of_other_commands_costs_more_than_its_pixels_say(source):
    """The networks' own error is equal; only the commands that the dream is read as differ."""
    count = len(source.frames)
    latents = np.random.default_rng(0).normal(size=(count, 12, 32)).astype(np.float32)
    windows = Windows(source, latents, ("cube", "lift", "the"), 2, 4)
    sizes = DenoiserSettings(horizon=4, width=32, layers=1, vocabulary=3)
    torch.manual_seed(0)
    model = Denoiser(sizes, torch.zeros(20), torch.ones(20))
    seen = []
    for weight in (0.0, 1.0):
        inverter = InverseDynamics(InverseDynamicsSettings(), torch.zeros(20), torch.ones(20))
        loss = denoiser_loss(NoisyWindows(windows, 8), inverter, command_weight=weight)
        torch.manual_seed(1)
        value, figures = loss(model, np.random.default_rng(2), 0.5)
        model.zero_grad()
        value.backward()
        assert all(p.grad is None for p in inverter.parameters())
        seen.append((value.item(), model.outputs.weight.grad.clone(), figures["error"]))
    assert seen[0][2] == seen[1][2] and seen[1][0] > seen[0][0]
    assert not torch.allclose(seen[0][1], seen[1][1])


class Listening(Denoiser):
    """Remembers what it was asked."""

    def forward(self, context, noisy, signal, *conditions):
        self.heard = {"context": context, "signal": signal, "given": conditions[4]}
        return super().forward(context, noisy, signal, *conditions)


@pytest.mark.parametrize("dropout", [0.0, 0.5, 1.0])
def test_near_misses_are_examples_only_where_actions_are_given(source, dropout):
    missing = dataclasses.replace(source, kind=["near_miss"] * 8, step_good=np.zeros(96, bool))
    windows = Windows(missing, np.zeros((96, 12, 32), np.float32), ("cube", "lift", "the"), 2, 4)
    sizes = DenoiserSettings(horizon=4, width=32, layers=1, vocabulary=3)
    model = Denoiser(sizes, torch.zeros(20), torch.ones(20))
    noisy = NoisyWindows(windows, 64, window_dropout=dropout, frame_dropout=0.0)
    drawn = noisy.draw(model, np.random.default_rng(0), torch.device("cpu"))
    given = drawn.conditions[4].bool()
    assert (given.all(1) == given.any(1)).all()
    assert torch.equal(drawn.missed, given.any(1))
    assert drawn.missed.float().mean().item() == pytest.approx(1 - dropout, abs=0.2)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_noise_levels_and_what_is_left_out_are_as_asked_for(source, share):
    latents = np.random.default_rng(0).normal(size=(len(source.frames), 12, 32))
    windows = Windows(source, latents.astype(np.float32), ("cube", "lift", "the"), 2, 4)
    sizes = DenoiserSettings(horizon=4, width=32, layers=1, vocabulary=3)
    model = Listening(sizes, torch.zeros(20), torch.ones(20))
    inverter = InverseDynamics(InverseDynamicsSettings(), torch.zeros(20), torch.ones(20))

    def ask(**options):
        quiet = {"scene_noise": 0.0, "context_noise": 0.0}
        loss = denoiser_loss(NoisyWindows(windows, 16, **{**quiet, **options}), inverter)
        loss(model, np.random.default_rng(1), 0.5)
        return model.heard

    seen = windows.draw(np.random.default_rng(1), 16).latents[:, :2]
    noise = ask(context_noise=share)["context"].numpy() - seen
    assert (np.abs(noise).max() > 0) == (share > 0)
    assert (noise[:, 0] != noise[:, 1]).any() == (share > 0)  # each frame has its own
    signal = ask(own_levels=share)["signal"]
    assert (signal == signal[:, :1]).all() == (share == 0)
    given = ask(window_dropout=share, frame_dropout=0.0)["given"]
    assert (given == 1 - share).all()
    given = ask(window_dropout=0.0, frame_dropout=share)["given"]
    assert (given == 1 - share).all()
