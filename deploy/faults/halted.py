"""Instances that stop in the middle of their work, as a machine does that sleeps or swaps; and go on later."""

import time

from broken import Broken, until
from checks import check, longest_append
from instances import Instances, tell
from places import short_place
from proxy import Proxy
from server import create_database, now
from session import Session

# Waits, at most some seconds, until an instance of such a name holds the append lock; its name.
AIM = """
    create function pg_temp.holder(names text, patience interval) returns text language plpgsql as $$
    declare
        found_one text;
        deadline timestamptz := clock_timestamp() + patience;
    begin
        loop
            select a.application_name into found_one
              from pg_locks l
              join pg_stat_activity a using (pid)
             where l.relation = 'ledger.append_lock'::regclass and l.mode = 'ExclusiveLock' and l.granted
               and a.application_name ~ names;
            exit when found or clock_timestamp() > deadline;
            perform pg_stat_clear_snapshot();
        end loop;
        return coalesce(found_one, 'nobody');
    end $$;
    select 'ready';
"""

# What the sessions of an instance are at: how many are in a transaction, hold the append lock, and hold it for a client.
AT_WORK = """
    select count(distinct a.pid) filter (where a.xact_start is not null),
           count(*) filter (where l.granted),
           count(*) filter (where l.granted and a.wait_event = 'ClientRead')
      from pg_stat_activity a
      left join pg_locks l on l.pid = a.pid and l.relation = 'ledger.append_lock'::regclass and l.mode = 'ExclusiveLock'
     where a.application_name = 'chaos-{name}';
"""


class Stops:
    """Stops instances, and counts what their sessions were at just then."""

    def __init__(self, run, database, proxy):
        self.proxy, self.rng = proxy, run.rng
        self.session = Session(run.server, database)
        run.ending.callback(self.session.give_up)
        self.session.ask(AIM)
        self.transactions = self.holders = self.waiting = 0

    def at_random(self, victims):
        """Stops one at a moment left to chance."""
        time.sleep(self.rng.uniform(0, 0.2))
        return self.stop(self.rng.choice(victims))

    def at_holder(self, victims):
        """Stops one while the server works for it under the append lock."""
        names = "|".join(f"^chaos-{victim.name}$" for victim in victims)
        time.sleep(self.rng.uniform(0, 0.05))
        answer = self.session.ask(f"select pg_temp.holder('{names}', '5 s');")
        victim = next((v for v in victims if answer == f"chaos-{v.name}"), None)
        if victim is None:
            raise Broken(f"none of {names} came to hold the append lock within 5 s")
        return self.stop(victim)

    def in_call(self, victim):
        """Stops one whose call the server carries out, and whose end it waits for; who, and the halt."""
        halt = self.proxy.halt()
        if not halt.is_reached.wait(20):
            raise Broken(f"{victim.name} made no call that appends within 20 s")

        def waits():
            return self.session.ask(AT_WORK.format(name=victim.name)).split("\t")[2] != "0"

        # The server may have to wait for the lock itself.
        if not until(5, waits):
            halt.may_end.set()
            raise Broken(f"{victim.name} has sent a call but for its end, and does not hold the append lock")
        return self.stop(victim), halt

    def stop(self, victim):
        victim.check_alive()
        victim.stop()
        transactions, holders, waiting = map(int, self.session.ask(AT_WORK.format(name=victim.name)).split("\t"))
        self.transactions += transactions > 0
        self.holders += holders > 0
        self.waiting += waiting > 0
        return victim


def stopped_instance(run):
    """Instances are stopped with SIGSTOP, at random moments and while they hold the append lock; others must get on.

    And a stale lease must not.
    """
    database = create_database(run.server, "halted")
    proxy = Proxy(short_place(run), run.server, run.rng)
    run.ending.callback(proxy.close)
    group = Instances(run.folder, run.server.address(database), run.rng)
    run.ending.callback(group.kill)
    arguments = ("--lease", "chaos", "--callers", 12, "--padding", 4000)
    stoppable = group.add("writer", 2, *arguments, "--rest", 2, prefix="writer-halted")
    stoppable += group.add("writer", 1, *arguments, "--rest", 2, prefix="writer-halted",
                           address=f"{proxy.address} dbname={database}")
    others = group.add("writer", 2, "--lease", "chaos", "--rest", 5, prefix="writer-other")
    group.add("follower", 1)
    group.wait_for_appends()
    stops = Stops(run, database, proxy)
    count, in_call, slowest = run.long(200, 15), 0, 0
    for number in range(count):
        halt = None
        # One in ten in a call, four at a holder: by number, so that each kind is tried also where there are few.
        if number % 10 == 9:
            victim, halt = stops.in_call(stoppable[-1])
            in_call += 1
        elif number % 5 < 2:
            victim = stops.at_holder(stoppable)
        else:
            victim = stops.at_random(stoppable)
        moment = now()
        for other in others:
            line = until(5, lambda other=other: other.made_since(moment))
            if not line:
                raise Broken(f"stop {number + 1} of {victim.name}: {other.name} got nothing acknowledged within 5 s")
            slowest = max(slowest, int(line[8]) - moment)
        # Long enough, now and then, for the lease to be taken over.
        time.sleep(run.rng.choice((0, 0.05, 0.3)))
        if halt:
            halt.may_end.set()
        victim.go_on()
    group.wait_for_outcomes()
    group.wait_for_appends()
    longest = max(longest_append(other) for other in others)
    if not group.total("fenced"):
        raise Broken("no append was refused under a lease that another had taken: the fence was not tried")
    # Else the stops would say nothing of the lock.
    if stops.holders <= stops.waiting or stops.waiting < in_call:
        raise Broken(f"of {count} stops {stops.holders} met a holder of the append lock, {stops.waiting} one whose client "
                     f"the server waited for: more than {in_call} were wanted, and {in_call}")
    log = check(run.server, database, group)
    ended = sum(w.errors.read_text().count("held by somebody who did not go on") for w in group.writers)
    return tell(group, log, f"{count} stops of 3 writers: {stops.transactions} met a transaction, {stops.holders} a holder "
                f"of the append lock, {stops.waiting} of these one that the server waited for; another's append took "
                f"{slowest / 1e6:.3f} s at the most after a stop, {longest / 1e6:.3f} s from its first attempt, and none "
                f"was refused for a stop; {ended} times a holder was ended, {group.total('fenced')} appends fenced")
