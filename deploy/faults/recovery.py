"""What operators do after a loss: a replica is promoted; a backup is restored to an earlier point, and the log goes on."""

import json
import re
import time

from broken import Broken, output, until
from checks import Log, check
from instances import Instances
from places import short_place
from server import Server, create_database
from service import Service
from shop import Shop, check_each_once


def promoted_replica(run):
    """The primary is killed under load and its synchronous replica promoted; instances find it by themselves.

    So does `rollbook serve`, which goes on with a release that was under way, and takes orders, without a restart.
    """
    place = short_place(run)
    primary = Server(place / "a", settings={"wal_level": "replica", "hot_standby": "on",
                                            # What is shared otherwise stays when all processes are killed.
                                            "dynamic_shared_memory_type": "mmap"})
    run.ending.callback(primary.stop)
    primary.start()
    database = create_database(primary, "failover")
    replica = Server(place / "b", copy_of=primary, settings={"cluster_name": "replica"})
    replica.follow(primary)
    run.ending.callback(replica.stop)
    replica.start()
    primary.ask("alter system set synchronous_standby_names = 'replica'")
    primary.ask("select pg_reload_conf()")
    if not until(20, lambda: primary.ask("select 1 from pg_stat_replication where sync_state = 'sync'"), pause=0.05):
        raise Broken("the replica does not become synchronous")
    address = (f"host={primary.socket},{replica.socket} port=5432,5432 user=postgres dbname={database} "
               "target_session_attrs=read-write")
    service = Service(run, place / "serve", has_prometheus=False)
    run.ending.callback(service.end)
    service.start(address)
    # A release that waits for a person when the primary is killed.
    shop = Shop(run, ["setWeight: 20", "pause: {}", "setWeight: 60"])
    shop.apply(service)
    shop.wait_for_end(service, 60)
    shop.apply(service)
    shop.wait_for(service, "a pause", 60, lambda kinds: "pause-began" in kinds)
    group = Instances(run.folder, address, run.rng)
    run.ending.callback(group.kill)
    group.add("writer", 4)
    group.add("follower", 2)
    group.wait_for_appends(3)
    time.sleep(run.rng.uniform(0, run.long(5, 1)))
    killed = primary.kill()
    began = time.monotonic()
    replica.ask("select pg_promote()")
    group.wait_for_appends(1)
    gap = time.monotonic() - began
    service.wait_until_ready(30)
    ready = time.monotonic() - began
    service.order("promote", "shop")
    shop.wait_for_end(service, 60)
    group.wait_for_appends(2)
    group.wait_for_outcomes()
    actions = check_each_once(shop.events(service))
    # What stands in the log from before and after is signed to its end.
    group.kill("writer")
    replica.settle(database)
    end = int(replica.ask("select max(last_position) from ledger.append_batch", database)[0][0])
    if not until(20, lambda: service.head()[0] >= end, pause=0.05):
        raise Broken(f"the sealer did not come to position {end} after the failover: {service.head()[0]}")
    halted = json.loads(service.get("/readyz")[1])["halted"]
    if halted:
        raise Broken(f"after the failover there stands still: {halted}")
    service.stop()
    log = check(replica, database, group, is_served=True)
    return (f"4 writers, 2 followers, serve; the primary's {killed} processes killed; every writer went on within "
            f"{gap:.1f} s, serve was ready within {ready:.1f} s, an order completed the release ({actions} steps, weights "
            f"and measurements, each once), every event is signed; {len(log.events)} events, {group.total('made')} appends "
            f"acknowledged, {group.total('unknown')} times unknown, {group.total('repeat')} recognised as repeats; nothing "
            f"acknowledged was lost")


def rollbook(*arguments):
    return output(["rollbook", *arguments])


def restored_backup(run):
    """A base backup and the archived WAL are restored to a point in time; everybody notices; a new epoch begins."""
    place = short_place(run)
    archive = place / "archive"
    source = Server(place / "a", settings={
        "wal_level": "replica", "archive_mode": "on", "archive_command": f"cp %p {archive}/%f"})
    base = place / "base"
    for folder in (archive, base):
        folder.mkdir()
        source.give(folder)
    run.ending.callback(source.stop)
    source.start()
    database = create_database(source, "restored")
    service = Service(run, place / "serve")
    run.ending.callback(service.end)
    service.start(source.address(database))
    before = Instances(run.folder, source.address(database), run.rng)
    run.ending.callback(before.kill)
    before.add("writer", 2)
    before.add("follower", 1)
    before.wait_for_appends(5)

    # As deploy/OPERATING.md says it: a base backup while all goes on, then the WAL as it is archived.
    source.tool("pg_basebackup", "-h", source.socket, "-U", "postgres", "-D", base, "-X", "none",
                "--checkpoint=fast")
    before.wait_for_appends(5)
    moment = source.ask("select clock_timestamp()")[0][0]
    before.wait_for_appends(20)
    before.kill("writer")
    source.settle(database)
    lost = int(source.ask("select max(last_position) from ledger.append_batch", database)[0][0])
    if not until(20, lambda: service.head()[0] >= lost, pause=0.05):
        raise Broken(f"the sealer did not come to position {lost}")
    head = run.folder / "head"
    head.write_text(service.head()[1])
    # The log's name is that of its key, which the service has logged when it made it.
    key = verifier_key(service)
    intact(rollbook("verify", "--database", source.address(database), "--tree-head", head, "--key", key), True,
           "the log before the loss")
    service.stop()
    last = f"1-{lost}"
    source.ask("select pg_switch_wal()")
    source.stop("fast")

    target = Server(place / "b", copy_of=base, settings={
        "archive_mode": "off", "restore_command": f"cp {archive}/%f %p", "recovery_target_time": moment,
        "recovery_target_action": "promote"})
    (target.data / "recovery.signal").touch()
    target.give(target.data / "recovery.signal")
    run.ending.callback(target.stop)
    target.start()
    if not until(30, lambda: target.ask("select pg_is_in_recovery()")[0][0] == "f", pause=0.05):
        raise Broken("the restored server does not come out of recovery")
    end = int(target.ask("select max(last_position) from ledger.append_batch", database)[0][0])
    if not 0 < end < lost:
        raise Broken(f"the restored log ends at {end}, the lost one at {lost}")

    # Who held something of what is gone notices: the tree head kept outside, the sealer's own, an SSE client, a follower.
    intact(rollbook("verify", "--database", target.address(database), "--tree-head", head, "--key", key), False,
           "the restored log against the tree head that was kept")
    service.start(target.address(database))
    if not until(20, lambda: "fork-detected" in service.log.read_text(), pause=0.05):
        raise Broken("the sealer did not notice that the log was cut short")
    status, answer = service.get("/api/v1/events/stream", **{"Last-Event-ID": last})
    if status != 410 or json.loads(answer)["code"] != "other-log":
        raise Broken(f"position {lost}: the stream of events was taken up after {last} with {status}: {answer[:200]}")
    follower = before.followers[0]
    follower.kill()
    follower.address = target.address(database)
    follower.start()
    if not until(20, lambda: "cut short" in follower.errors.read_text(), pause=0.05):
        raise Broken(f"position {lost}: a follower that has seen it did not notice that it is gone")
    follower.news()
    if follower.place > lost:
        raise Broken(f"position {follower.place}: a follower of the old log went on in the restored one")
    follower.kill()
    service.stop()
    status, said = rollbook("begin-epoch", "--database", target.address(database), "--after", str(lost), "--reason", "?")
    if status == 0:
        raise Broken(f"an epoch began after position {lost}, which the log does not have: {said}")
    status, said = rollbook("begin-epoch", "--database", target.address(database), "--after", str(end), "--reason",
                            f"restored to {moment}")
    if status != 0:
        raise Broken(f"no new epoch began: {said}")

    # And on.
    service.start(target.address(database))
    folder = run.folder / "after"
    folder.mkdir()
    after = Instances(folder, target.address(database), run.rng)
    run.ending.callback(after.kill)
    after.add("writer", 2)
    after.add("follower", 1)
    after.wait_for_appends(20)
    log = check(target, database, after, strangers=end + 1)
    if not until(20, lambda: service.head()[0] >= len(log.events), pause=0.05):
        raise Broken("the sealer does not go on in the new epoch")
    status, said = rollbook("verify", "--database", target.address(database), "--tree-head", head, "--key", key)
    intact((status, said), False, "the new epoch against the old epoch's tree head")
    head.write_text(service.head()[1])
    intact(rollbook("verify", "--database", target.address(database), "--tree-head", head, "--key", key), True,
           "the new epoch against its own tree head")
    for instance in before.writers:
        check_prefix(instance, log, end)
    return (f"restored to position {end} of {lost}; noticed by verify, sealer, SSE and follower; epoch 2 began at "
            f"{end + 1}, and has {len(log.events) - end} events, {after.total('made')} appends of them acknowledged")


def verifier_key(service):
    found = re.search(r"[^\s\"=]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+", service.log.read_text())
    if not found:
        raise Broken(f"{service.log} names no verifier key")
    return found.group(0)


def intact(answer, wanted, what):
    """Holds what `rollbook verify` answered against whether the log is whole, or else known to be cut short."""
    status, said = answer
    if status != (0 if wanted else 1) or not (wanted or " cut: " in said):
        raise Broken(f"verify of {what} ended with {status}: {said.strip()[-400:]}")


def check_prefix(instance, log: Log, end):
    """What a writer was told before the point of recovery is there."""
    for line in instance.journal.read_text().splitlines():
        words = line.split(" ")
        if words[0] == "made" and int(words[2]) <= end and log.place.get(words[1], 0) == 0:
            raise Broken(f"position {words[2]}, event {words[1]}: acknowledged, before the point of recovery, and gone")
