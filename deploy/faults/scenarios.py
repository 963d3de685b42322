"""What is done to the ledger, one function a scenario; each answers what it did and found, in words."""

import time

from broken import Broken, until
from checks import check
from disk import SmallDisk
from halted import stopped_instance
from instances import Instances, tell
from places import short_place
from proxy import Proxy
from reader import open_reader
from recovery import promoted_replica, restored_backup
from server import Server, create_database, now
from serving import idle_serve, killed_controller
from woken import stopped_controller


def instances(run, database, server=None, folder=None):
    """A group without instances, which end with the scenario."""
    group = Instances(folder or run.folder, (server or run.server).address(database), run.rng)
    run.ending.callback(group.kill)
    return group


def killed_and_cut(run):
    """Eight instances; random ones are killed, and random sessions ended by the server."""
    database = create_database(run.server, "killed")
    group = instances(run, database)
    group.add("writer", 8)
    group.add("follower", 3)
    group.wait_for_appends()
    kills = sessions = 0
    end = time.monotonic() + run.long(60, 4)
    while time.monotonic() < end:
        time.sleep(run.rng.uniform(0.02, 0.4))
        if run.rng.random() < 0.5:
            victim = run.rng.choice(group.all)
            victim.check_alive()
            victim.kill()
            victim.start()
            kills += 1
        else:
            sessions += len(run.server.ask(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'chaos-%' "
                f"order by md5(pid::text || '{run.rng.random()}') limit {run.rng.randint(1, 6)}"))
    group.wait_for_appends()
    group.wait_for_outcomes()
    log = check(run.server, database, group)
    return tell(group, log, f"8 writers, 3 followers, {kills} kills, {sessions} sessions ended")


def stopped_server(run):
    """The server is stopped at once, again and again, under load."""
    database = create_database(run.server, "stopped")
    group = instances(run, database)
    group.add("writer", 8)
    group.add("follower", 3)
    stops = run.long(20, 2)
    for _ in range(stops):
        group.wait_for_appends(1)
        time.sleep(run.rng.uniform(0, 0.7))
        run.server.stop("immediate")
        time.sleep(run.rng.uniform(0, 0.3))
        run.server.start()
    group.wait_for_appends()
    group.wait_for_outcomes()
    log = check(run.server, database, group)
    return tell(group, log, f"8 writers, 3 followers, {stops} stops")


def reply_lost(run):
    """Connections are cut after the commit and before the reply; also, less often, before the request."""
    database = create_database(run.server, "replies")
    proxy = Proxy(short_place(run), run.server, run.rng)
    run.ending.callback(proxy.close)
    group = instances(run, database)
    group.add("writer", 4, address=f"{proxy.address} dbname={database}")
    group.add("follower", 1, address=f"{proxy.address} dbname={database}")
    group.wait_for_appends(5)
    before = group.total("repeat")
    proxy.is_armed = True
    goal = run.long(400, 20)
    if not until(120, lambda: proxy.appended >= goal):
        raise Broken(f"only {proxy.appended} replies could be withheld within 120 s")
    proxy.is_armed = False
    group.wait_for_outcomes()
    group.wait_for_appends()
    repeats = group.total("repeat") - before
    if repeats < proxy.appended:
        raise Broken(f"{proxy.appended} committed calls lost their reply, but only {repeats} repeats were recognised")
    kinds = {"any": 0, "expected": 0}
    for writer in group.writers:
        sent = {}
        for line in writer.journal.read_text().splitlines():
            words = line.split(" ")
            if words[0] == "sent":
                sent[words[1]] = "any" if words[3] == "any" else "expected"
            elif words[0] == "made" and words[4] == "repeat":
                kinds[sent[words[1]]] += 1
    if not all(kinds.values()):
        raise Broken(f"repeats of both kinds were wanted: {kinds}")
    log = check(run.server, database, group)
    return tell(group, log, f"4 writers, {proxy.withheld} replies withheld after the commit, {proxy.dropped} calls "
                f"dropped; repeats without an expected version {kinds['any']}, with one {kinds['expected']}")


def replica_missing(run):
    """Commits wait for a replica that does not exist, and the wait is cancelled: nothing may be acknowledged by that."""
    database = create_database(run.server, "replica")
    group = instances(run, database)
    group.add("writer", 2, "--callers", 6)
    group.wait_for_appends(5)
    waiting = "from pg_stat_activity where wait_event = 'SyncRep' and application_name like 'chaos-writer%'"
    server = run.server
    server.ask("alter system set synchronous_standby_names = 'nobody'")
    server.ask("select pg_reload_conf()")
    run.ending.callback(lambda: (server.ask("alter system reset synchronous_standby_names"),
                                 server.ask("select pg_reload_conf()")))

    def waits():
        return until(20, lambda: int(server.ask(f"select count(*) {waiting}")[0][0]) >= 1, pause=0.02)

    # Once one commit waits, every later one does.
    if not waits():
        raise Broken("the appends do not wait for the replica")
    moment, cancelled = now(), 0
    for turn in range(run.long(20, 4)):
        how = "pg_terminate_backend" if turn % 4 == 3 else "pg_cancel_backend"
        for writer in group.writers:
            check_unacknowledged(writer, moment)
        unknown = group.total("unknown")
        hit = len(server.ask(f"select {how}(pid) {waiting}"))
        cancelled += hit

        def fact(goal=unknown + hit):
            for writer in group.writers:
                check_unacknowledged(writer, moment)
            return group.total("unknown") >= goal

        if not until(10, fact):
            raise Broken(f"{hit} waits for the replica were ended, and the writers do not call the outcomes unknown")
        if not waits():
            raise Broken("the repeats do not wait for the replica")
    server.ask("alter system reset synchronous_standby_names")
    server.ask("select pg_reload_conf()")
    group.wait_for_outcomes()
    group.wait_for_appends()
    if not group.total("repeat"):
        raise Broken("no repeat was recognised after the waits were cancelled")
    log = check(server, database, group)
    return tell(group, log, f"2 writers, {cancelled} waits cancelled or ended, nothing acknowledged meanwhile")


def check_unacknowledged(writer, moment):
    """Nothing that was sent after `moment` may be acknowledged, also no repeat: no replica has it."""
    line = writer.sent_since(moment)
    if line:
        raise Broken(f"position {line[2]}, event {line[1]}: acknowledged to {writer.name} ({line[4]}) though no replica has it")


def full_disk(run):
    """The disk of the tables, then that of the WAL, has no space left; then it has."""
    parts = []
    for what in ("tables", "WAL"):
        place = short_place(run)
        disk = SmallDisk(place / "disk", 96)
        run.ending.callback(disk.remove)
        on_disk = disk.place / "files"
        server = Server(place / "server", data=on_disk if what == "tables" else None,
                        wal=on_disk if what == "WAL" else place / "wal", segment=1,
                        # Used again, the files of the last round would be enough for the next one.
                        settings={"max_wal_size": "16MB", "min_wal_size": "4MB", "wal_recycle": "off"})
        run.ending.callback(server.stop)
        server.start()
        database = create_database(server, "filled")
        (run.folder / what).mkdir()
        group = instances(run, database, server, run.folder / what)
        group.add("writer", 2, "--padding", 12000)
        group.add("follower", 1)
        restarts = 0
        for _ in range(run.long(5, 1)):
            group.wait_for_appends(2)
            before = server.complaints()
            disk.fill(leave=1 << 20)
            if not until(40, lambda: server.complaints() > before, pause=0.05):
                raise Broken(f"the disk of the {what} is not full after 40 s")
            time.sleep(run.long(2, 0.3))
            disk.clear()
            # A server that cannot write its WAL gives up; who runs it starts it again once there is space.
            if not until(10, lambda: server.is_down() or server.answers()) or server.is_down():
                restarts += 1
                server.stop()
                server.start()
        group.wait_for_appends(2)
        group.wait_for_outcomes()
        words = refused_for_space(group)
        log = check(server, database, group)
        if what == "tables" and not words:
            raise Broken("no writer was told that there is no space left")
        # Of what is there, every page and every index.
        server.tool("pg_amcheck", "-h", server.socket, "-U", "postgres", "-d", database, "--install-missing",
                    "--heapallindexed")
        server.stop("fast")
        server.tool("pg_checksums", "--check", "-D", server.data)
        parts.append(tell(group, log, f"{what}: {len(words)} appends refused for want of space, {restarts} starts by hand"))
        if words:
            run.say(f"{what}: {words[0]}")
        disk.remove()
    return "\n    ".join(parts)


def refused_for_space(group):
    """The words of appends that were refused because there is no space left."""
    return [" ".join(words[2:]) for w in group.writers if w.journal.exists()
            for words in (line.split(" ") for line in w.journal.read_text().splitlines())
            if words[0] == "none" and "No space left on device" in " ".join(words)]


SCENARIOS = {
    "killed-and-cut": killed_and_cut, "stopped-server": stopped_server, "reply-lost": reply_lost,
    "stopped-instance": stopped_instance, "replica-missing": replica_missing, "full-disk": full_disk,
    "promoted-replica": promoted_replica, "restored-backup": restored_backup, "killed-controller": killed_controller,
    "stopped-controller": stopped_controller, "idle-serve": idle_serve, "open-reader": open_reader,
}
