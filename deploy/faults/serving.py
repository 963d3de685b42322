"""What is promised of `rollbook serve` itself: how soon another goes on with its work, and how little it needs idle."""

import datetime
import pathlib
import shutil
import time

from broken import Broken, until
from checks import verify
from places import short_place
from server import create_database, now
from service import Service
from shop import Shop, check_each_once, kind

# Within which another has to have gone on, in seconds, when the machine has nothing else to do; and when it may have.
PROMISE, BUSY = 5, 15


def killed_controller(run):
    """Who controls a release is killed; whoever stands by goes on with all it did, in time, and does nothing twice."""
    database = create_database(run.server, "takeover")
    address = run.server.address(database)
    data = short_place(run) / "serve"
    first = Service(run, data, "first", has_prometheus=False)
    second = Service(run, data, "second", beside=first)
    for service in (first, second):
        run.ending.callback(service.end)
    first.start(address, "--standby")
    if not until(20, lambda: first.duties()[0] == 64 and "sealer" in first.duties()[1]):
        raise Broken(f"first is alone, and does not take everything: {first.duties()}")
    second.start(address, "--standby")
    # So long that most kills hit the same release.
    weights = range(4, 100, run.long(4, 24))
    shop = Shop(run, [step for w in weights for step in (f"setWeight: {w}", "pause: { duration: 1s }")])
    shop.apply(first)
    shop.wait_for_end(first, 60)
    everything = single_leases(run.server, database)
    kills, gaps = run.long(10, 1), []
    for number in range(kills):
        # Also after the one that was killed has come back, and has got its share.
        if not until(20, lambda: together(first, second) == (64, everything)):
            raise Broken(f"the two do not share 64 and {everything}: {first.duties()}, {second.duties()}")
        steering, standing = (first, second) if first.duties()[0] else (second, first)
        begin_or_go_on(shop, standing, len(weights))
        time.sleep(run.rng.uniform(0, 1))
        gap, words = gap_of(steering, standing, everything)
        gaps.append(gap)
        if gap > run.long(PROMISE, BUSY):
            raise Broken(f"kill {number + 1}, of {steering.name}: {standing.name} went on after {gap:.2f} s ({words})")
        steering.start(address, "--standby")
    # To its end by those who took it over.
    shop.wait_for_end(first, 120)
    actions = check_each_once(shop.events(first))
    for service in (first, second):
        service.stop()
    verify(address)
    return (f"{kills} kills of the one that steered; the other had every lease, and moved the release, after "
            f"{sorted(gaps)[len(gaps) // 2]:.2f} s at the median, {max(gaps):.2f} s at the most (promised: {PROMISE}); "
            f"{shop.releases} releases, {actions} steps, weights and measurements, each once")


def single_leases(server, database):
    """What only one may do at a time, besides controlling rollouts: by the leases that were ever taken."""
    return {row[0] for row in server.ask(
        "select name from ledger.lease where name = 'sealer' or name like 'projection/%'", database)}


def together(*services):
    """What these have together: shards of rollouts, and what only one may do at a time."""
    duties = [service.duties() for service in services]
    return sum(shards for shards, _ in duties), set().union(*(leases for _, leases in duties))


def begin_or_go_on(shop, service, steps):
    """Sees to it that a release is under way that has some steps before it."""
    kinds = [kind(e) for e in shop.events(service)]
    last = kinds[len(kinds) - kinds[::-1].index("release-started"):]
    if "completed" in last or last.count("weight-applied") > steps * 2 / 3:
        shop.wait_for_end(service, 60)
        shop.apply(service)
    shop.wait_for(service, "a weight", 30, lambda kinds: "weight-applied" in kinds)


def gap_of(steering, standing, everything):
    """Kills one; in seconds, how long until the other holds all leases and has moved the release on; and in words."""
    last = standing.events()[-1]["position"]
    killed = now()
    steering.kill()
    if not until(30, lambda: standing.duties() == (64, everything), pause=0.02):
        raise Broken(f"{standing.name} has {standing.duties()} after 30 s, of 64 and {everything}")
    held = now()

    def moved():
        return next((e for e in standing.events(last) if e["actor"]["subject"] == f"rollbook/{standing.name}"), None)

    event = until(30, moved, pause=0.05)
    if not event:
        raise Broken(f"{standing.name} holds the leases, but wrote nothing within 30 s")
    moment = datetime.datetime.fromisoformat(event["recordedAt"].replace("Z", "+00:00")).timestamp()
    held, acted = (held - killed) / 1e6, moment - killed / 1e6
    return max(held, acted), f"all leases after {held:.2f} s, {kind(event)} after {acted:.2f} s"


def idle_serve(run):
    """An instance that has nothing to do."""
    database = create_database(run.server, "idle")
    service = Service(run, short_place(run) / "serve")
    run.ending.callback(service.end)
    service.start(run.server.address(database))
    seconds, most = run.long(30, 2), 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.5)
        most = max(most, service.resident()[0])
    # As SwiftPM calls its folders; a build for debugging is not what the promise is about.
    is_debug = "debug" in pathlib.Path(shutil.which("rollbook")).resolve().parts
    if most > 60 and not is_debug:
        raise Broken(f"serve has {most:.1f} MiB resident with nothing to do: 60 are promised")
    return (f"{most:.1f} MiB resident at the most in {seconds} idle seconds, {service.resident()[1]:.1f} MiB while it "
            f"started ({'a build for debugging, which is held to nothing' if is_debug else 'promised: 60'})")
