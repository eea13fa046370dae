"""What is kept of an episode."""

from __future__ import annotations

from dataclasses import dataclass, field

from wm_planner.rigs.disturbance import Disturbed


@dataclass(frozen=True)
class EpisodeResult:
    """How an episode went.

    Attributes:
        success: whether physics said so long enough.
        end: "success", "time limit", "no plan" or "drift".
        duration_s: simulated time, s.
        plans: plans carried out.
        no_plans: times when all candidates were rejected.
        rejections: candidates by the first reason against them.
        refusals: plans that the executor refused, by reason.
        latency_s: by stage, one entry per plan, s; "total" is their sum.
        disturbed: what came of the disturbance; None where none was asked for.
        replans: plans asked for, by reason.
        drifted_s: when frames were first seen to have left a dream, s, one entry for each such
            plan.
        commands: set points that were sent.
        limit_violations: those that broke a limit of a joint or more, by the independent check.
        done_s: when physics saw each goal done, in their order, s; those that were not are absent.
        seen_s: when the planner saw each goal that it was given reached, likewise.
        retries: attempts at goals that were followed by another one.
    """

    task: str
    seed: int
    instruction: str | None
    success: bool
    end: str
    duration_s: float
    plans: int
    no_plans: int
    rejections: dict[str, int]
    refusals: dict[str, int]
    latency_s: dict[str, list[float]]
    disturbed: Disturbed | None = None
    replans: dict[str, int] = field(default_factory=dict)
    drifted_s: list[float] = field(default_factory=list)
    commands: int = 0
    limit_violations: int = 0
    done_s: list[float] = field(default_factory=list)
    seen_s: list[float] = field(default_factory=list)
    retries: int = 0
