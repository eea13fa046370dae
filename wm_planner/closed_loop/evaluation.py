"""Many episodes on seeds that were never trained on, in parallel processes.

An episode depends on its seed alone: every process uses one thread, and while the planner thinks
only the latency that is asked for passes in simulation. So the results are the same with any
number of processes.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from wm_planner.assembly import Stack, StackConfig, assemble, open_rig
from wm_planner.closed_loop.choosers import Chooser, make_chooser
from wm_planner.closed_loop.episode import EpisodeSettings, run_episode
from wm_planner.closed_loop.episode_film import EpisodeFilm
from wm_planner.closed_loop.episode_record import EpisodeRecord
from wm_planner.closed_loop.episode_result import EpisodeResult
from wm_planner.errors import ConfigurationError, RigError
from wm_planner.planner import PlanReport
from wm_planner.rigs.disturbance import Disturbance
from wm_planner.rigs.rig import SimulatedRig
from wm_planner.robot.rig_description import RigDescription
from wm_planner.types import Goal, Observation
from wm_planner.worker_process import end_with_parent, leave_interrupts_to_parent

FIRST_TEST_SEED = 1_000_000  # training and validation seeds are below
VALIDATION_SEEDS = range(900_000, FIRST_TEST_SEED)
INSTRUCTIONS = ("task", "last", "together", "picture", "none", "wrong")
THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

OpenRig = Callable[[RigDescription], SimulatedRig]


@dataclass(frozen=True)
class Evaluation:
    """What to evaluate.

    Attributes:
        config: what plans.
        open_rig: where; must survive pickling.
        task: scene and success test.
        episodes: how many.
        seed: of the first; one per episode from there on.
        instruction: what is asked for, see `goals_for`.
        untrained: models that get fresh random weights.
        disturbance: what goes wrong once in every episode; None for nothing.
        films: folder for a video of every episode that failed; None for none.
        film_all: of those that succeeded, too.
        dreams: beside every film, the frames and all candidates' dreams as numbers.
        latency_s: simulated time that every plan takes, s.
        choice: who chooses among the accepted candidates, of `choosers.CHOICES`.
        oracle_steps: how far an oracle tries them; 0 for as far as they are executed.
        validation: whether this chooses settings: on validation seeds instead of test seeds.
    """

    config: StackConfig
    open_rig: OpenRig
    task: str
    episodes: int
    seed: int = FIRST_TEST_SEED
    instruction: str = "task"
    untrained: tuple[str, ...] = ()
    disturbance: Disturbance | None = None
    films: Path | None = None
    film_all: bool = False
    dreams: bool = False
    latency_s: float = 0.0
    choice: str = "best"
    oracle_steps: int = 0
    validation: bool = False

    def __post_init__(self) -> None:
        """Refuse what would not measure anything; one thread and no hurry, to be reproducible."""
        if self.episodes < 1:
            raise ConfigurationError(f"episodes is {self.episodes}, expected at least 1")
        if self.validation:
            if not {self.seed, self.seeds[-1]} <= set(VALIDATION_SEEDS):
                raise ConfigurationError(
                    f"seeds are {self.seed} to {self.seeds[-1]}, expected validation seeds, "
                    f"{VALIDATION_SEEDS[0]} to {VALIDATION_SEEDS[-1]}"
                )
        elif self.seed < FIRST_TEST_SEED:
            raise ConfigurationError(
                f"seed is {self.seed}, expected at least {FIRST_TEST_SEED}: lower ones are for "
                "training and validation"
            )
        self.chooser()
        onnx = dataclasses.replace(self.config.onnx, threads=1)
        config = dataclasses.replace(self.config.without_hurry(), onnx=onnx)
        object.__setattr__(self, "config", config)

    @property
    def seeds(self) -> range:
        """One per episode."""
        return range(self.seed, self.seed + self.episodes)

    def chooser(self) -> Chooser | None:
        """Return who chooses; None for the planner itself."""
        return make_chooser(self.choice, self.oracle_steps or self.config.planner.execute_steps)


def open_simulated_rig(name: str, description: RigDescription) -> SimulatedRig:
    """Open a rig by its name in the registry, and refuse real ones."""
    rig = open_rig(name, description)
    if not isinstance(rig, SimulatedRig):
        rig.close()
        raise ConfigurationError(f"rig {name!r} is not simulated: no seed fixes its scene")
    return rig


def goals_for(
    rig: SimulatedRig, task: str, instruction: str, seed: int, camera: str = "head"
) -> tuple[Goal, ...]:
    """Return what the planner is asked for.

    Args:
        rig: knows the tasks.
        task: the one that is judged.
        instruction: "task" for its own, one after the other where it has several; "last" for the
            last of these alone, "together" for all of them in one sentence; "picture" for no
            words but a picture of each goal done in this very scene; "none"; or "wrong" for those
            of the other tasks in turn.
        seed: of the episode.
        camera: that pictures are taken with; the rig is reset for them.
    """
    own = rig.instructions(task)
    if instruction == "picture":
        return tuple(Goal(image=seen) for seen in rig.goal_pictures(task, seed, camera))
    if instruction == "none":
        return (Goal(),)
    if instruction == "wrong":
        asked = (rig.instructions(other) for other in rig.tasks)
        others = [other[0] for other in asked if len(other) == 1 and other[0] not in own]
        return (Goal(others[seed % len(others)]),)
    if instruction == "together":
        return (Goal(", then ".join(own)),)
    return tuple(Goal(one) for one in (own[-1:] if instruction == "last" else own))


def run_evaluation(
    evaluation: Evaluation, seeds: list[int], workers: int = 1
) -> Iterator[EpisodeResult]:
    """Yield the results of episodes as they come, in any order.

    Args:
        evaluation: what to evaluate.
        seeds: which of its episodes to run.
        workers: processes.
    """
    # Before numpy starts in the workers: threads of several processes would fight for the cores.
    before = {name: os.environ.get(name) for name in THREAD_COUNTS}
    os.environ.update(dict.fromkeys(THREAD_COUNTS, "1"))
    bystanders = multiprocessing.active_children()
    pool = concurrent.futures.ProcessPoolExecutor(
        max_workers=min(workers, max(len(seeds), 1)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(evaluation,),
    )
    try:
        futures = [pool.submit(_run_seed, seed) for seed in seeds]
        for future in concurrent.futures.as_completed(futures):
            yield future.result()
    except BrokenProcessPool as error:
        raise RigError("an evaluation process died; is there enough memory?") from error
    except (KeyboardInterrupt, GeneratorExit):
        for process in multiprocessing.active_children():
            if process not in bystanders:
                process.terminate()  # an episode takes too long to wait for
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


class _Worker:
    """What one process keeps between episodes."""

    evaluation: Evaluation
    stack: Stack | None = None
    rig: SimulatedRig


def _start_worker(evaluation: Evaluation) -> None:
    leave_interrupts_to_parent()
    end_with_parent()
    _Worker.evaluation = evaluation


def _run_seed(seed: int) -> EpisodeResult:
    evaluation = _Worker.evaluation
    if _Worker.stack is None:  # here and not at the start, so that errors reach the parent
        _Worker.stack = assemble(evaluation.config, evaluation.untrained)
        _Worker.rig = evaluation.open_rig(_Worker.stack.rig_description)
    spec = _Worker.stack.world_model.spec
    goals = goals_for(
        _Worker.rig, evaluation.task, evaluation.instruction, seed, camera=spec.camera
    )
    film = EpisodeFilm(spec.camera) if evaluation.films else None
    record = EpisodeRecord(spec) if evaluation.films and evaluation.dreams else None

    def watch(observation: Observation, report: PlanReport | None) -> None:
        for watcher in (film, record):
            if watcher:
                watcher(observation, report)

    result = run_episode(
        *(_Worker.stack, _Worker.rig, goals, evaluation.task, seed),
        settings=EpisodeSettings(latency_s=evaluation.latency_s),
        watch=watch,
        disturbance=evaluation.disturbance,
        chooser=evaluation.chooser(),
    )
    if evaluation.films and (evaluation.film_all or not result.success):
        if film:
            film.write(evaluation.films, result, spec.dt)
        if record:
            record.write(evaluation.films, result)
    return result
