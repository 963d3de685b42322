-- Several instances on one ledger: who may do what alone, and which platform a cluster is.

set local role rollbook_ledger;
set local search_path = ledger, pg_temp;

-- Renewed each second and indexed by name alone: room for the next version of a row in the same page.
alter table lease set (fillfactor = 50);

-- Takes no part in the order of the appends; what has run out counts as held until somebody claims it.
create function renew_leases(
    p_holder text, p_name text[], p_epoch bigint[], p_lasting interval
) returns table (name text, epoch bigint)
language sql volatile security definer set search_path = ledger, pg_temp as $$
    with renewed as (
        update lease l
           set expires_at = clock_timestamp() + p_lasting
          from unnest(p_name, p_epoch) h(name, epoch)
         where l.name = h.name and l.epoch = h.epoch and l.holder = p_holder and l.expires_at > '-infinity'
        returning l.name, l.epoch)
    select r.name, r.epoch
      from renewed r
     order by r.name
$$;
comment on function renew_leases is 'Makes a holder''s leases last from now on; answers those that are still its own.';

create function claim_leases(
    p_holder text, p_name text[],
    p_floor bigint[],   -- beside each name: an epoch that was seen elsewhere and has to be exceeded; 0: none was
    p_lasting interval, p_limit int
) returns table (name text, epoch bigint)
language plpgsql volatile security definer set search_path = ledger, pg_temp set lock_timeout = '1s' as $$
#variable_conflict use_column
declare
    v_taken int;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'ledger.claim_leases needs READ COMMITTED: an older snapshot would not see who claimed before';
    end if;
    -- Mostly there is nothing to take, and then the appends are left alone.
    if p_limit <= 0 or not exists (
           select
             from unnest(p_name) n(name)
             left join lease l on l.name = n.name
            where l.name is null or l.expires_at <= clock_timestamp() or l.holder = p_holder) then
        return;
    end if;
    -- Before it every append of the last holder, after it none: they name an epoch that is over.
    lock table append_lock in exclusive mode;
    -- A row that is being renewed just now is left to the next call: nobody is waited for under the append lock.
    return query
    update lease l
       set holder = p_holder, epoch = greatest(l.epoch, free.floor) + 1,
           expires_at = clock_timestamp() + p_lasting
      from (
           select k.name, n.floor
             from unnest(p_name, p_floor) with ordinality n(name, floor, o)
             join lease k on k.name = n.name
            where k.expires_at <= clock_timestamp() or k.holder = p_holder
            order by n.o
            limit p_limit
              for update of k skip locked) free
     where l.name = free.name
    returning l.name, l.epoch;
    get diagnostics v_taken = row_count;
    return query
    insert into lease (name, holder, epoch, expires_at)
    select n.name, p_holder, n.floor + 1, clock_timestamp() + p_lasting
      from unnest(p_name, p_floor) with ordinality n(name, floor, o)
     where not exists (select from lease l where l.name = n.name)
     order by n.o
     limit p_limit - v_taken
    returning lease.name, lease.epoch;
end $$;
comment on function claim_leases is
    'Takes up to p_limit leases that nobody holds, or that p_holder had before; answers them with their new, higher epochs.';

create function release_leases(p_holder text, p_name text[], p_epoch bigint[]) returns void
language sql volatile security definer set search_path = ledger, pg_temp as $$
    update lease l
       set expires_at = '-infinity'     -- for good: a renewal that was sent before may come after it
      from unnest(p_name, p_epoch) h(name, epoch)
     where l.name = h.name and l.epoch = h.epoch and l.holder = p_holder
$$;
comment on function release_leases is 'Ends a holder''s leases now, so that others may claim them at once.';

create table cluster (
    name text collate "C" primary key check (name <> ''),
    platform text collate "C" not null check (platform <> ''),
    place text not null,
    bound_at timestamptz not null
);
comment on table cluster is
    'Which platform each cluster is: pods and traffic that only one machine has are steered from nowhere else.';
comment on column cluster.place is 'Where the platform was last served from, for people.';

create function bind_cluster(
    p_name text, p_platform text, p_place text, p_move boolean
) returns table (platform text, place text, bound_at timestamptz)
language plpgsql volatile security definer set search_path = ledger, pg_temp as $$
#variable_conflict use_column
begin
    insert into cluster as c (name, platform, place, bound_at)
    values (p_name, p_platform, p_place, clock_timestamp())
        on conflict (name) do update
       set bound_at = case when c.platform = excluded.platform then c.bound_at else excluded.bound_at end,
           platform = excluded.platform, place = excluded.place
     where p_move or c.platform = excluded.platform;
    return query
    select c.platform, c.place, c.bound_at
      from cluster c
     where c.name = p_name;
end $$;
comment on function bind_cluster is
    'Says which platform a cluster is, unless it is another one already (and p_move is false); answers what stands.';

revoke all on function renew_leases, claim_leases, release_leases, bind_cluster from public;
grant select on cluster to rollbook_service;
grant execute on function renew_leases, claim_leases, release_leases, bind_cluster to rollbook_service;

reset role;
set local search_path = default;

-- Who serves looks whether the schema is the one that its program knows.
grant select on public.schema_migration to rollbook_service;
