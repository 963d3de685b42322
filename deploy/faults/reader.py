"""Who reads the log for long, while the log goes on into its next partitions."""

import time

from broken import Broken
from checks import check, check_not_refused, longest_append
from instances import Instances
from places import short_place
from server import create_database, now
from service import Service
from session import Session

# As Tests/TestKit/SmallPartitions.swift does it: those that the migration made are empty, and make room.
SMALLER = """
    set role rollbook_ledger;
    update ledger.partition_plan set size = {size};
    do $$
    declare
        made text;
    begin
        drop view ledger.current_event;
        drop view ledger.current_range;
        for made in select table_name from ledger.event_partition loop
            execute format('drop table ledger.%I', made);
        end loop;
        delete from ledger.event_partition;
        perform ledger.prepare_partitions(2);
        perform ledger.roll_over();
    end $$
"""


def open_reader(run):
    """A reader keeps a transaction open while partitions are made and come to; no append waits for it."""
    server, database = run.server, create_database(run.server, "reader")
    # Not filled faster than `serve` looks after them, every 5 s: at most 640 events are appended a second.
    size = run.long(3000, 1500)
    server.ask(SMALLER.format(size=size), database)
    service = Service(run, short_place(run) / "serve", has_prometheus=False)
    run.ending.callback(service.end)
    service.start(server.address(database))
    group = Instances(run.folder, server.address(database), run.rng)
    run.ending.callback(group.kill)
    group.add("writer", 4, "--callers", 4, "--rest", 100)
    group.add("follower", 1)
    group.wait_for_appends(5)

    def partitions():
        """How many there are, and where the one ends that appends look into."""
        return [int(value) for value in server.ask(
            "select count(*), (select end_position from ledger.current_range) from ledger.event_partition", database)[0]]

    # A transaction that stays open; it sees the log as it was.
    reader = Session(server, database)
    run.ending.callback(reader.give_up)
    seen = reader.ask("begin isolation level repeatable read; select count(*) from ledger.event;")
    opened, began, (made, place), switches = now(), time.monotonic(), partitions(), []
    there = made
    while time.monotonic() - began < 120:
        time.sleep(0.2)
        for writer in group.writers:
            for words in writer.news():
                check_not_refused(writer, words)
        there, newest = partitions()
        if newest != place:
            place = newest
            switches.append(time.monotonic())
        # So long after a switch that whoever waits for the reader is seen to wait.
        if (there > made and len(switches) >= run.long(4, 1) and time.monotonic() - began > run.long(60, 0)
                and time.monotonic() - switches[0] > 6):
            break
    else:
        longest = max(longest_append(writer, since=opened) for writer in group.writers)
        raise Broken(f"in 120 s {there - made} partitions were made, and appends came to {len(switches)} of them; the "
                     f"slowest was acknowledged after {longest / 1e6:.3f} s")
    kept = time.monotonic() - began
    group.wait_for_appends()
    longest = max(longest_append(writer, since=opened) for writer in group.writers)
    # What waits for a lock until the server's patience ends waits 2 s; a machine that is busy may take as long.
    if longest > run.long(1_500_000, 5_000_000):
        raise Broken(f"an append was acknowledged after {longest / 1e6:.3f} s only, beside a reader")
    again = reader.ask("select count(*) from ledger.event;")
    if again != seen or reader.ask("commit; select 'committed';") != "committed":
        raise Broken(f"the reader's transaction did not last: it counted {seen} events, then {again}")
    reader.end()
    service.stop()
    log = check(server, database, group, is_served=True)
    return (f"a transaction open for {kept:.1f} s that saw {seen} of {len(log.events)} events; meanwhile {there - made} "
            f"partitions of {size} made and {len(switches)} come to; {group.total('made')} appends acknowledged, the "
            f"slowest after {longest / 1e6:.3f} s")
