"""Runs what `deploy/soak --faults` prepared: see there. Needs `rollbook` and `rollbook-chaos` on the PATH."""

import argparse
import contextlib
import json
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

from broken import Broken
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

    def long(self, amount, quick):
        return quick if self.is_quick else amount

    def remove_later(self, place):
        self.ending.callback(lambda: shutil.rmtree(place, ignore_errors=True))

    @staticmethod
    def say(words):
        print(words, flush=True)


def run_all(options):
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    place = pathlib.Path(tempfile.mkdtemp(prefix="rbf-", dir="/tmp"))
    report, is_kept = [], True
    with contextlib.ExitStack() as ending:
        # The server's user has to come through.
        place.chmod(0o755)
        server = Server(place / "server")
        ending.callback(server.stop)
        server.start()
        for name in options.scenario or SCENARIOS:
            started = time.monotonic()
            line = {"scenario": name, "seed": options.seed, "quick": options.quick, "kept": True}
            with contextlib.ExitStack() as scenario:
                try:
                    line["found"] = SCENARIOS[name](Run(options, name, server, scenario))
                except Broken as broken:
                    line.update(kept=False, found=str(broken))
                    is_kept = False
            line["seconds"] = round(time.monotonic() - started, 1)
            report.append(line)
            print(f"{name:<17}{line['seconds']:>6} s  {'' if line['kept'] else f'NOT KEPT (seed {options.seed}): '}"
                  f"{line['found']}", flush=True)
            if not line["kept"] and (server.process is None or server.process.poll() is not None):
                server.start()
    (WORK / "report.json").write_text("\n".join(json.dumps(line) for line in report) + "\n")
    if is_kept:
        shutil.rmtree(place)
    else:
        print(f"NOT KEPT: journals are in {WORK}, the server's data in {place}", file=sys.stderr)
    return 0 if is_kept else 1


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
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupted)
    try:
        code = run_all(options)
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
