"""Who controls a release stops in the middle of it, and wakes up when another has gone on: it changes nothing."""

import signal
import time

from broken import Broken, reap, until
from checks import verify
from nginx import Nginx
from places import short_place
from server import create_database
from service import Service
from serving import begin_or_go_on, single_leases, together
from shop import Shop, check_each_once, kind

# Of nginx' own Prometheus, and without an error where nobody asks for anything.
QUERY = 'sum(rate(http_requests_total{status=~"5.."}[5s])) or vector(0)'


def stopped_controller(run):
    """The one that steers is stopped while a weight is on its way to nginx; the other takes over and sets weights.

    Then it goes on, and the weight arrives: nginx and the log stay as the other has them. Or it wakes at about the time
    when its leases run out: then one of the two goes on.
    """
    database = create_database(run.server, "woken")
    address = run.server.address(database)
    data = short_place(run) / "serve"
    first = Service(run, data, "first")
    second = Service(run, data, "second", beside=first)
    for service in (first, second):
        run.ending.callback(service.end)
    first.start(address, "--standby")
    nginx = Nginx(data, "default/default/shop")
    run.ending.callback(nginx.close)
    second.start(address, "--standby")
    weights = range(4, 100, run.long(4, 24))
    shop = Shop(run, [step for w in weights for step in (f"setWeight: {w}", "pause: { duration: 1s }")],
                address="http://prometheus.monitoring:9090", query=QUERY)
    shop.apply(first)
    shop.wait_for_end(first, 60)
    everything = single_leases(run.server, database)
    late, lived, ended, gaps = 0, 0, 0, []
    for number in range(run.long(9, 1)):
        if not until(30, lambda: together(first, second) == (64, everything)):
            raise Broken(f"the two do not share 64 and {everything}: {first.duties()}, {second.duties()}")
        steering, standing = (first, second) if first.duties()[0] else (second, first)
        begin_or_go_on(shop, standing, len(weights))
        held = nginx.hold(steering.process)
        position = standing.events()[-1]["position"]
        began = time.monotonic()
        steering.process.send_signal(signal.SIGSTOP)
        if number % 3 == 2:
            time.sleep(run.rng.uniform(2.5, 5.5))
            steering.process.send_signal(signal.SIGCONT)
            held.may_go.set()
            # Ended by the other, or not: what holds of both is looked at in the end.
            if not until(4, lambda: steering.process.poll() is not None):
                lived += 1
                continue
            ended += 1
            # Back before the other has the platform it would take it up again itself, as it may.
            if not until(10, lambda: standing.duties()[0]):
                raise Broken(f"{standing.name} has ended {steering.name}, and steers nothing 10 s later")
        else:
            if not until(30, lambda: nginx.route()["generation"] > held.generation, pause=0.05):
                raise Broken(f"{standing.name} set no weight after generation {held.generation} within 30 s")
            gaps.append(time.monotonic() - began)
            wake(steering, held)
            late += 1
        check_silent(steering, standing, position)
        steering.start(address, "--standby")
        if steering.duties()[0]:
            raise Broken(f"{steering.name} came back, and steers: {steering.duties()}")
    shop.wait_for_end(first, 120)
    events = shop.events(first)
    actions = check_each_once(events)
    nginx.check({e["data"]["generation"]: e["data"]["canary"] for e in events if kind(e) == "weight-decided"})
    for service in (first, second):
        service.stop()
    verify(address)
    words = f"; {lived + ended} more woke when their leases ran out, {ended} of them ended by the other" if lived + ended else ""
    return (f"{late} stops of the one that steered, with a weight on its way to nginx; the other had set the next after "
            f"{max(gaps):.1f} s at the most; all {late} were gone when they were to go on, and nginx refused each late "
            f"weight{words}; nginx obeyed {len(nginx.routes)} routes, none twice or back; {shop.releases} releases, "
            f"{actions} steps, weights and measurements, each once")


def wake(stopped, held):
    """Lets one go on that another has replaced: it must be gone, and what it had sent must change nothing."""
    stopped.process.send_signal(signal.SIGCONT)
    reap(stopped.process, 5, f"{stopped.name}, which another has replaced,")
    if stopped.process.returncode != -signal.SIGKILL:
        raise Broken(f"{stopped.name} was replaced, and ended with {stopped.process.returncode}")
    held.may_go.set()
    if not until(10, lambda: held.status):
        raise Broken(f"nginx did not answer the late route {held.body}")
    if held.status != 409:
        raise Broken(f"nginx answered the late route {held.body} of {stopped.name} with {held.status}")


def check_silent(stopped, standing, position):
    """What one wrote that another has replaced stands before all that the other wrote."""
    taken = None
    for event in standing.events(position):
        name = event["actor"]["subject"]
        if name == f"rollbook/{standing.name}":
            taken = taken or event["position"]
        elif name == f"rollbook/{stopped.name}" and taken:
            raise Broken(f"position {event['position']}, event {event['id']}: {kind(event)} by {stopped.name}, which "
                         f"{standing.name} had replaced at position {taken}")
