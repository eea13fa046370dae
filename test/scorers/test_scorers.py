"""Scorers that need no trained head: what they must never get the wrong way round."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import onnx
import pytest
from tiny_models import HORIZON, INSTRUCTIONS, LATENT, WORDS, build_graph, write_tiny_bundles

from wm_planner.bundle import WORLD_MODEL, load_bundle, write_bundle
from wm_planner.errors import BundleError, ConfigurationError, UnknownNameError
from wm_planner.onnx_session import OnnxSettings, describe_graph
from wm_planner.scorers.confidence_scorer import ConfidenceScorer, ConfidenceScorerSettings
from wm_planner.scorers.instruction_scorer import InstructionScorer, InstructionScorerSettings
from wm_planner.scorers.preference_scorer import PreferenceScorer, PreferenceScorerSettings
from wm_planner.scorers.scorer import ScoringContext
from wm_planner.scorers.smoothness_scorer import SmoothnessScorer
from wm_planner.scorers.value_scorer import ValueScorer, ValueScorerSettings
from wm_planner.settings import from_mapping
from wm_planner.types import ActionChunks, Goal, Need, Resimulation, Rollouts

K, LIFT, HOME = 4, Goal("lift both hands"), Goal("go home")


class Painter:
    """Values and grey pictures are the first number of each latent."""

    def look(self, frames):
        raise NotImplementedError

    def value(self, latents, goal):
        return latents.reshape(len(latents), -1)[:, 0]

    def decode(self, latents, scene=None):
        grey = latents.reshape(len(latents), -1)[:, :1, None, None]
        return np.broadcast_to(np.clip(255 * grey, 0, 255), (len(latents), 4, 6, 3)).astype(
            np.uint8
        )


def context(goal=LIFT, actions=None, variance=None, latents=None, execute_steps=2, dt=0.2):
    steps = np.zeros((K, HORIZON, 20))
    latents = np.zeros((K, HORIZON, *LATENT)) if latents is None else latents
    return ScoringContext(
        Rollouts(latents, dt, 0, 0, "hash"),
        ActionChunks(
            steps if actions is None else actions, steps if variance is None else variance, dt, 0,
            "hash",
        ),
        goal, Painter(), execute_steps,
    )  # fmt: skip


def test_that_coming_near_success_sooner_is_worth_more_where_all_frames_count():
    latents = np.zeros((K, HORIZON, *LATENT))
    for k in range(K):
        latents[k, k:] = 1.0  # near success from frame k on
    sooner = ValueScorer(ValueScorerSettings(frames=0)).score(context(latents=latents)).contribution
    assert (np.diff(sooner) < 0).all()
    last = ValueScorer(ValueScorerSettings(frames=1)).score(context(latents=latents)).contribution
    np.testing.assert_array_equal(last, 1.0)


def test_that_the_value_may_be_that_of_what_the_world_model_makes_of_the_actions():
    dreamed = np.ones((K, HORIZON, *LATENT))  # every dream ends in success
    simulated = dreamed * np.arange(K)[:, None, None, None]
    again = Resimulation(
        Rollouts(dreamed, 0.2, 0, 0, "hash"), Rollouts(simulated, 0.2, 0, 0, "hash"),
        np.zeros(LATENT, np.float32),
    )  # fmt: skip
    seen = dataclasses.replace(context(latents=dreamed), resimulation=again)
    settings = from_mapping(ValueScorerSettings, {"of": "resimulation", "frames": 0, "weight": 2.0})
    sober, dreamer = ValueScorer(settings), ValueScorer()
    np.testing.assert_allclose(sober.score(seen).contribution, 2.0 * np.arange(K))
    np.testing.assert_allclose(dreamer.score(seen).contribution, 1.0)
    assert (sober.needs, dreamer.needs) == (Need.ROLLOUTS, Need.NOTHING)


def test_that_nobody_can_ask_for_the_value_of_another_future():
    with pytest.raises(ConfigurationError, match="'dream', 'resimulation'"):
        from_mapping(ValueScorerSettings, {"of": "the past"})


def test_that_confidence_is_the_stated_deviation_in_millimetres():
    variance = np.zeros((K, HORIZON, 20))
    variance[..., [0, 1, 2, 10, 11, 12]] = 1e-6 * np.arange(K)[:, None, None] ** 2
    settings = ConfidenceScorerSettings(weight=1.0)
    score = ConfidenceScorer(settings).score(context(variance=variance))
    np.testing.assert_allclose(score.contribution, -np.arange(K), atol=1e-9)


def test_that_confidence_looks_at_no_step_that_is_not_carried_out(generator):
    variance = generator.uniform(size=(K, HORIZON, 20))
    other = variance.copy()
    other[:, 2:] *= 100
    same = [ConfidenceScorer().score(context(variance=v)).contribution for v in (variance, other)]
    np.testing.assert_array_equal(*same)
    more = ConfidenceScorer().score(context(variance=other, execute_steps=3)).contribution
    assert (more < same[0]).all()


def test_that_rotations_and_widths_say_nothing_about_confidence(generator):
    variance = np.zeros((K, HORIZON, 20))
    variance[..., 3:10] = variance[..., 13:] = generator.uniform(size=(K, HORIZON, 7))
    assert not ConfidenceScorer().score(context(variance=variance)).contribution.any()


def test_that_hands_at_constant_speed_are_perfectly_smooth(generator):
    actions = np.zeros((K, HORIZON, 20))
    actions[..., :3] = generator.normal(size=(K, 1, 3))
    smooth = SmoothnessScorer().score(context(actions=actions)).contribution
    np.testing.assert_allclose(smooth, 0, atol=1e-12)
    actions[0, 2, 0] += 0.01
    jerky = SmoothnessScorer().score(context(actions=actions)).contribution
    assert jerky[0] < 0 and not jerky[1:].any()


def test_that_smoothness_does_not_depend_on_where_or_how_fast_but_on_the_time_taken(generator):
    actions = generator.normal(0, 0.01, (K, HORIZON, 20))
    moved = actions.copy()
    moved[..., 10:13] += [0.3, -0.1, 0.2]
    first, second, slow = (
        SmoothnessScorer().score(context(actions=a, dt=dt)).contribution
        for a, dt in ((actions, 0.2), (moved, 0.2), (actions, 0.4))
    )
    np.testing.assert_allclose(first, second)
    np.testing.assert_allclose(slow, first / 16)


def test_that_a_chunk_of_one_step_is_smooth():
    chunks = ActionChunks(np.zeros((K, 1, 20)), np.zeros((K, 1, 20)), 0.2, 0, "hash")
    one = context()
    one = ScoringContext(one.rollouts, chunks, LIFT, one.world_model, 1)
    assert not SmoothnessScorer().score(one).contribution.any()


# -- heads that come with the bundle ------------------------------------------------------------
def head(name: str, frames: str, output: str) -> bytes:
    """Ten times the newest first number under "lift", minus that under "home"."""
    shape = f"N,{frames}2,10"
    pick = np.zeros((60 if frames else 20, 1))
    pick[40 if frames else 0] = 10.0
    return build_graph(
        f"""{name} (float[{shape}] latent, float[N,2] words) => (float[N] {output}) {{
            flat = Reshape(latent, flat_shape)
            seen = MatMul(flat, pick)
            sign = MatMul(words, signs)
            column = Mul(seen, sign)
            {output} = Reshape(column, line)
        }}""",
        {
            "flat_shape": np.array([-1, len(pick)]),
            "pick": pick,
            "signs": np.array([[-1.0], [1.0]]),
            "line": np.array([-1]),
        },
    )


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """A bundle without heads, and one with both."""
    folder, _ = write_tiny_bundles(tmp_path_factory.mktemp("plain"), np.zeros((2, 20)))
    plain = load_bundle(folder, WORLD_MODEL)
    graphs = dict(plain.graphs)
    graphs["preference"] = head("preference", "3,", "preference")
    graphs["instruction"] = head("instruction", "", "similarity")
    specs = {n: describe_graph(f"{n}.onnx", g) for n, g in graphs.items()}
    manifest = type(plain.manifest)(**{**vars(plain.manifest), "graphs": specs})
    folder = write_bundle(tmp_path_factory.mktemp("heads") / "world_model", manifest, graphs, "#")
    return plain, load_bundle(folder, WORLD_MODEL)


def open_scorer(cls, bundle, settings=None):
    settings = settings or globals()[f"{cls.__name__}Settings"]()
    return cls.open(settings, bundle, OnnxSettings())


@pytest.mark.parametrize("cls", [PreferenceScorer, InstructionScorer])
def test_that_a_bundle_without_the_head_is_refused_in_one_line(bundles, cls):
    name = {"PreferenceScorer": "preference"}.get(cls.__name__, "instruction")
    with pytest.raises(BundleError, match=f"scorer {name}: .* has no graph '{name}'; train") as e:
        open_scorer(cls, bundles[0])
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("cls", [PreferenceScorer, InstructionScorer])
def test_that_a_head_prefers_what_was_asked_for(bundles, cls):
    latents = np.zeros((K, HORIZON, *LATENT))
    latents[:, -3:, 0, 0] = 0.1 * np.arange(K)[:, None]
    latents[:, 0] = 9.0  # a first frame says nothing about the end
    scorer = open_scorer(cls, bundles[1])
    lifted, home, nothing = (
        scorer.score(context(goal, latents=latents)).contribution
        for goal in (LIFT, HOME, Goal(image=np.zeros((4, 6, 3), np.uint8)))
    )
    assert (np.diff(lifted) > 0).all()
    np.testing.assert_allclose(home, -lifted)
    assert not nothing.any()


def test_that_shuffled_candidates_get_shuffled_scores(bundles, generator):
    latents = generator.normal(size=(K, HORIZON, *LATENT))
    order = generator.permutation(K)
    for cls in (PreferenceScorer, InstructionScorer):
        scorer = open_scorer(cls, bundles[1])
        whole, shuffled = (
            scorer.score(context(latents=some)).contribution for some in (latents, latents[order])
        )
        np.testing.assert_allclose(shuffled, whole[order], rtol=1e-5)


def test_that_the_weight_is_a_factor(bundles, generator):
    latents = generator.normal(size=(K, HORIZON, *LATENT))
    one, three = (
        open_scorer(PreferenceScorer, bundles[1], PreferenceScorerSettings(weight=w)).score(
            context(latents=latents)
        )
        for w in (1.0, 3.0)
    )
    np.testing.assert_allclose(three.contribution, 3 * one.contribution)


def test_that_a_world_model_with_heads_dreams_as_one_without(bundles):
    from wm_planner.world_models.onnx_world_model import OnnxWorldModel

    latents = np.linspace(0, 1, 20, dtype=np.float32).reshape(1, *LATENT)
    values = [OnnxWorldModel(bundle).value(latents, LIFT) for bundle in bundles]
    np.testing.assert_array_equal(*values)
    assert WORDS == ("home", "lift") and LIFT.instruction in INSTRUCTIONS


# -- the user's own models ----------------------------------------------------------------------
@pytest.fixture
def own(tmp_path):
    """An image encoder to (mean red, 1 - mean red), and two texts: bright and dark."""
    graph = build_graph(
        """encoder (float[N,3,8,8] pixels) => (float[N,2] embedding) {
            red = ReduceMean<axes=[1,2,3], keepdims=0>(pixels)
            column = Reshape(red, shape)
            dark = Sub(one, column)
            embedding = Concat<axis=1>(column, dark)
        }""",
        {"shape": np.array([-1, 1]), "one": np.array(1.0)},
    )
    onnx.checker.check_model(onnx.load_from_string(graph))
    (tmp_path / "image.onnx").write_bytes(graph)
    texts = {"lift both hands": [2.0, 0.0], "go home": [0.0, 0.1]}
    (tmp_path / "text.json").write_text(json.dumps(texts))
    return {
        "image_encoder": str(tmp_path / "image.onnx"),
        "text_embeddings": str(tmp_path / "text.json"),
        "image_mean": [0.0, 0.0, 0.0],
        "image_std": [1.0, 1.0, 1.0],
    }


def test_that_a_users_own_embedding_judges_decoded_frames(bundles, own):
    settings = from_mapping(InstructionScorerSettings, own)
    scorer = open_scorer(InstructionScorer, bundles[0], settings)  # no head is needed
    latents = np.zeros((K, HORIZON, *LATENT))
    latents[:, -3:, 0, 0] = np.linspace(0, 1, K)[:, None]
    bright, dark = (
        scorer.score(context(goal, latents=latents)).contribution for goal in (LIFT, HOME)
    )
    np.testing.assert_allclose(bright[[0, -1]], [0.0, 1.0], atol=1e-6)
    np.testing.assert_allclose(dark, bright[::-1], atol=2e-2)
    with pytest.raises(UnknownNameError, match="dance"):
        scorer.score(context(Goal("dance")))


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("[1, 2]", "is no JSON object"),
        ('{"lift both hands": [1, 2], "go home": [1]}', "equally many"),
        ('{"lift both hands": [0, 0]}', "not all zero"),
        ("{}", "equally many"),
    ],
)
def test_that_bad_text_embeddings_are_refused(bundles, own, tmp_path, texts, message):
    (tmp_path / "text.json").write_text(texts)
    with pytest.raises(ConfigurationError, match=message):
        open_scorer(InstructionScorer, bundles[0], from_mapping(InstructionScorerSettings, own))


def test_that_half_of_a_pair_of_models_is_refused(own):
    with pytest.raises(ConfigurationError, match="need each other"):
        from_mapping(InstructionScorerSettings, {**own, "text_embeddings": ""})
    with pytest.raises(ConfigurationError, match="three colours"):
        from_mapping(InstructionScorerSettings, {**own, "image_mean": [0.5]})


def test_that_an_encoder_that_takes_something_else_is_refused(bundles, own, tmp_path):
    (tmp_path / "image.onnx").write_bytes(bundles[0].graphs["value"])
    with pytest.raises(ConfigurationError, match=r"takes latent float32 .*expected one float32"):
        open_scorer(InstructionScorer, bundles[0], from_mapping(InstructionScorerSettings, own))


def test_that_embeddings_of_another_space_are_refused(bundles, own, tmp_path):
    (tmp_path / "text.json").write_text('{"lift both hands": [1, 2, 3]}')
    settings = from_mapping(InstructionScorerSettings, own)
    scorer = open_scorer(InstructionScorer, bundles[0], settings)
    with pytest.raises(ConfigurationError, match="have 3 numbers, the image encoder's 2"):
        scorer.score(context())
