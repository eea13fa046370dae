"""Say which of two futures is better: pairs for the preference head to learn from.

RUN_FOLDER is a dataset (wm-planner collect), an evaluation (evaluate --record DIR --record-dreams),
a demo or a replay. A page on this machine shows two recorded futures of one task side by side, or
two candidates' dreams of one moment; keys: left, right, space (cannot tell), u (undo). With
--automatic, how recorded episodes went decides, and no page is shown. Every answer is on disk
before the next question; Ctrl-C ends it, and the same command goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from wm_planner.commands.stack_arguments import add_stack_arguments, read_stack_config
from wm_planner.errors import ConfigurationError, DataError

NAME = "label"
HELP = "compare futures, for the preference head to learn from"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN_FOLDER")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="labels, a JSON object a line"
    )
    parser.add_argument("--pairs", type=int, default=200, metavar="N", help="default: 200")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the choice of pairs")
    parser.add_argument(
        "--automatic", action="store_true", help="let the outcome of recorded episodes decide"
    )
    parser.add_argument("--port", type=int, default=8008, metavar="P", help="of the page (8008)")
    parser.add_argument(
        "--camera", default="head", help="that datasets and bags are seen through (head)"
    )
    add_stack_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Label by outcome, or serve the page until Ctrl-C."""
    import numpy as np

    from wm_planner.commands.labelling.label_file import OUTCOME, LabelFile
    from wm_planner.commands.labelling.proposals import by_outcome, propose
    from wm_planner.commands.labelling.runs import Decoder, open_run
    from wm_planner.commands.labelling.session import Session
    from wm_planner.robot.rig_description import find_rig

    if args.pairs < 1:
        raise ConfigurationError(f"--pairs is {args.pairs}, expected at least 1")
    config = read_stack_config(args)
    topic = find_rig(config.rig).cameras[args.camera].topic
    decode = Decoder(config)
    runs = {folder: open_run(folder, args.camera, topic, decode) for folder in args.runs}
    futures = [future for one in runs.values() for future in one.futures()]
    file, generator = LabelFile(args.out), np.random.default_rng(args.seed)
    if args.automatic:
        known = file.known()
        pairs = by_outcome(futures, args.pairs, generator)
        new = [pair for pair in pairs if file.key(*pair) not in known]
        for better, worse in new:
            file.add(better, worse, OUTCOME)
        if not pairs:
            raise DataError("no episode with a known outcome: nothing to label by")
        print(f"{args.out}: {len(new)} new labels, {len(file.lines)} in all")
        return 0
    session = Session(propose(futures, args.pairs, generator), file)
    if not len(session):
        raise DataError(
            f"nothing to compare: {len(futures)} futures, {len(file.lines)} labels already"
        )
    return _serve(session, lambda f: runs[f.run].pictures(f.what, f.episode, f.at), args)


def _serve(session, pictures, args: argparse.Namespace) -> int:  # type: ignore[no-untyped-def]
    from wm_planner.commands.labelling.server import HOST, open_server

    try:
        server = open_server(session, pictures, args.port)
    except OSError as error:
        raise ConfigurationError(f"--port {args.port}: {error.strerror}") from error
    print(
        f"http://{HOST}:{server.server_port}/ has {len(session)} pairs; Ctrl-C ends it", flush=True
    )
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print(f"{args.out}: {session.number} answers this time")
    finally:
        server.server_close()
    return 0
