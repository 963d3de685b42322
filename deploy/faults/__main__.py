"""Runs what `deploy/soak --faults` prepared: see there. Needs `rollbook` and `rollbook-chaos` on the PATH."""

import argparse
import contextlib
import fcntl
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback

from broken import Broken, Skipped
from scenarios import SCENARIOS
from server import Server

WORK = pathlib.Path(".rollbook/faults").absolute()


class Run:
    """One scenario's circumstances: choices from the seed, a folder for evidence, the server, and what ends with it."""

    def __init__(self, options, name, server, ending):
        self.is_quick, self.server, self.ending = options.quick, server, ending
        self.rng = random.Random(f"{options.seed} {name}")
        self.folder = WORK / name
        self.folder.mkdir()
        # Folders elsewhere, which go when all has held.
        self.places = []

    def long(self, amount, quick):
        return quick if self.is_quick else amount

    @staticmethod
    def say(words):
        print(words, flush=True)


def run_one(options, name, server):
    """What a scenario found, and whether all held: None if it could not be tried."""
    run, is_kept = None, False
    try:
        with contextlib.ExitStack() as ending:
            run = Run(options, name, server, ending)
            found = SCENARIOS[name](run)
        is_kept = True
    except Skipped as reason:
        found, is_kept = str(reason), None
    except Broken as broken:
        found = str(broken)
    except Exception:  # A defect of the scenario itself: the others are tried all the same.
        found = traceback.format_exc()
    except BaseException:  # Who ends the run wants no evidence of it.
        is_kept = None
        raise
    finally:
        for place in run.places if run and is_kept is not False else []:
            shutil.rmtree(place, ignore_errors=True)
    for place in run.places if run and is_kept is False else []:
        found += f"\n    evidence: {place}"
    return found, is_kept


def run_all(options):
    WORK.parent.mkdir(parents=True, exist_ok=True)
    with open(WORK.parent / "faults.lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another run of the faults works in {WORK}: wait for it", file=sys.stderr)
            return 1
        return run_alone(options)


def run_alone(options):
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    place = pathlib.Path(tempfile.mkdtemp(prefix="rbf-", dir="/tmp"))
    # The server's user has to come through.
    place.chmod(0o755)
    report = []
    try:
        run_each(options, place, report)
    except KeyboardInterrupt:
        shutil.rmtree(WORK, ignore_errors=True)
        raise
    except Broken as broken:  # The server that all share is at fault.
        report.append({"scenario": "server", "kept": False})
        print(f"NOT KEPT: {broken}", file=sys.stderr)
    finally:
        if all(line["kept"] is not False for line in report):
            shutil.rmtree(place, ignore_errors=True)
    skipped = [line["scenario"] for line in report if line["kept"] is None]
    if skipped:
        print(f"SKIPPED: {', '.join(skipped)}")
    if any(line["kept"] is False for line in report):
        print(f"NOT KEPT: journals are in {WORK}, the server's data in {place}", file=sys.stderr)
        return 1
    # Where nobody looks, what was not tried must not pass for what holds; the short form tries what it can.
    return 1 if skipped and os.environ.get("CI") and not options.quick else 0


def run_each(options, place, report):
    """Runs the scenarios one after the other on one server, and adds a line to the report for each."""
    with contextlib.ExitStack() as ending:
        server = Server(place / "server")
        ending.callback(server.stop)
        server.start()
        for name in options.scenario or SCENARIOS:
            started = time.monotonic()
            found, is_kept = run_one(options, name, server)
            line = {"scenario": name, "seed": options.seed, "quick": options.quick, "kept": is_kept, "found": found,
                    "seconds": round(time.monotonic() - started, 1)}
            report.append(line)
            (WORK / "report.json").write_text("\n".join(json.dumps(line) for line in report) + "\n")
            word = {True: "", None: "SKIPPED: ", False: f"NOT KEPT (seed {options.seed}): "}[is_kept]
            print(f"{name:<17}{line['seconds']:>6} s  {word}{found}", flush=True)
            if is_kept is False and server.is_down():
                server.start()


def main():
    parser = argparse.ArgumentParser(prog="deploy/soak --faults")
    parser.add_argument("scenario", nargs="*", metavar="SCENARIO",
                        help=f"which; all if none is named: {', '.join(SCENARIOS)}")
    parser.add_argument("--seed", type=int, default=7, help="of every choice that is left to chance")
    parser.add_argument("--quick", action="store_true", help="each for a few seconds")
    options = parser.parse_args()
    for name in options.scenario:
        if name not in SCENARIOS:
            parser.error(f"there is no scenario {name}: give some of {', '.join(SCENARIOS)}")

    def interrupted(*_):
        # Once is enough: what is cleared up then must not be interrupted in its turn.
        for word in (signal.SIGINT, signal.SIGTERM):
            signal.signal(word, lambda *_: None)
        raise KeyboardInterrupt

    # A shell that runs us beside itself has SIGINT ignored.
    for word in (signal.SIGINT, signal.SIGTERM):
        signal.signal(word, interrupted)
    try:
        code = run_all(options)
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
