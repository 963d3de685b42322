-- The ledger: an append-only log of events and the one function that writes it.
--
-- Owned by rollbook_ledger, which nobody logs in as. Whoever runs the service is granted rollbook_service, which may
-- read everything and execute the functions below, nothing else.

do $$
declare
    wanted text;
begin
    foreach wanted in array array['rollbook_ledger', 'rollbook_service'] loop
        begin
            if not exists (select from pg_roles where rolname = wanted) then
                execute format('create role %I nologin', wanted);
            end if;
        exception when duplicate_object or unique_violation then
            null;  -- roles belong to the whole cluster: another database's migration was faster
        end;
        if not pg_has_role(current_user, wanted, 'member') then
            execute format('grant %I to current_user', wanted);
        end if;
    end loop;
end $$;

create schema ledger authorization rollbook_ledger;
set local role rollbook_ledger;
set local search_path = ledger, pg_temp;

-- Names are kept once ---------------------------------------------------------------------------------------------

create table stream (
    stream_id bigint generated always as identity primary key,
    name text collate "C" not null unique check (octet_length(name) between 3 and 512)
);
comment on table stream is 'The names of streams; one without events has only receipts.';

create table event_type (
    type_id int generated always as identity primary key,
    name text collate "C" not null unique check (name <> '')
);

create table actor (
    actor_id int generated always as identity primary key,
    subject text collate "C" not null check (subject <> ''),
    issuer text collate "C" not null,
    method text collate "C" not null check (method in ('unauthenticated', 'controller', 'token', 'oidc')),
    on_behalf_of text collate "C",
    unique nulls not distinct (subject, issuer, method, on_behalf_of)
);

-- The log ---------------------------------------------------------------------------------------------------------

create table append_lock ();
comment on table append_lock is 'Always empty; locking it orders the appends. Only the append functions'' owner can.';

create table append_batch (
    last_position bigint primary key,
    first_position bigint not null,
    recorded_at timestamptz not null,
    epoch int not null
);
create index append_batch_recorded_at on append_batch (recorded_at, last_position);
comment on table append_batch is
    'One row for each append transaction, insert-only: the newest is the head; the rest map time to position.';
insert into append_batch values (0, 1, '2000-01-01 00:00:00+00', 1);

-- No foreign keys and no checks: they would cost a lone append a tenth of its time. Positions, versions and epochs are
-- computed by the functions that insert, and ids of names are looked up before.
create table event (
    "position" bigint not null,
    stream_id bigint not null,
    version bigint not null,
    recorded_at timestamptz not null,
    occurred_at timestamptz not null,
    event_id uuid not null,
    correlation uuid not null,
    causation uuid,
    type_id int not null,
    actor_id int not null,
    epoch int not null,
    content_hash bytea not null,
    data text not null,
    metadata text not null
) partition by range ("position");
alter table event alter data set compression lz4;
comment on column event.data is 'Exactly the JSON text that was hashed; event_readable has it as jsonb, where jsonb can hold it.';
comment on column event.content_hash is 'SHA-256 of the content, computed by the client before the append.';

create table partition_plan (
    only_row boolean primary key default true check (only_row),
    size bigint not null check (size > 0)
);
comment on table partition_plan is 'How many positions the next partitions hold.';
insert into partition_plan (size) values (4194304);

create table event_partition (
    first_position bigint primary key,
    end_position bigint not null unique check (end_position > first_position),
    table_name text collate "C" not null unique
);
comment on table event_partition is
    'The partitions of the log: each holds the positions from first_position to below end_position.';

create table receipt (
    command_id uuid not null,
    stream_id bigint not null,
    version bigint not null,
    "position" bigint not null,
    recorded_at timestamptz not null,
    fingerprint bytea,
    primary key (command_id, stream_id)
);
comment on table receipt is 'What a command was answered, also when it led to no event, so that a repeat is recognised.';
comment on column receipt.fingerprint is 'Of what was ordered, so that the id of one order is not taken for another.';

create table lease (
    name text collate "C" primary key check (name <> ''),
    holder text collate "C" not null,
    epoch bigint not null check (epoch > 0),
    expires_at timestamptz not null
);
comment on table lease is 'Who may do what alone; the epoch grows with each holder and fences off the ones before.';

create table checkpoint (
    projection text collate "C" primary key,
    version int not null,
    "position" bigint not null check ("position" >= 0),
    event_id uuid,
    epoch int not null,
    check (("position" = 0) = (event_id is null))
);
comment on table checkpoint is
    'Where each projection stands; the event''s id and epoch tell whether the log is still the one that was read.';

-- Append-only, whoever asks ---------------------------------------------------------------------------------------

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception using
        errcode = 'insufficient_privilege',
        message = format('%s of ledger.%s is refused: the ledger is append-only', tg_op, tg_table_name),
        hint = 'Append a new event that says what is now true.';
end $$;

do $$
declare
    kept text;
begin
    foreach kept in array array['event', 'append_batch', 'receipt', 'stream', 'event_type', 'actor'] loop
        execute format('create trigger append_only before update or delete or truncate on %I '
            'for each statement execute function refuse_change()', kept);
    end loop;
end $$;

-- Partitions ------------------------------------------------------------------------------------------------------

-- Rows that never change are vacuumed once, and frozen by that. Each page is written whole into the WAL then, because of the
-- checksums: a tenth as fast as other tables, so that it takes no more than 4 MB a second from the appends.
create function partition_storage() returns text
language sql immutable as $$
    select 'autovacuum_vacuum_cost_delay = 20, autovacuum_freeze_min_age = 0, '
           'toast.autovacuum_vacuum_cost_delay = 20, toast.autovacuum_freeze_min_age = 0'
$$;
comment on function partition_storage is 'The storage parameters of the log''s partitions.';

-- A table that is made, bounded and only then attached takes no lock that an open reader of the log is in the way of.
create function prepare_partitions(p_ahead int default 2) returns int
language plpgsql volatile security definer set search_path = ledger, pg_temp as $$
declare
    v_made int := 0;
    v_first bigint;
    v_end bigint;
    v_name text;
begin
    if p_ahead < 1 then
        raise exception 'prepare_partitions(%): at least one partition is needed ahead of the head', p_ahead;
    end if;
    -- One at a time; appends take no lock on this table.
    lock table event_partition in share row exclusive mode;
    while (
        select count(*)
          from event_partition p
         where p.first_position > (select b.last_position from append_batch b order by b.last_position desc limit 1)
    ) < p_ahead loop
        select coalesce(max(p.end_position), 1) into v_first from event_partition p;
        select v_first + s.size into v_end from partition_plan s;
        v_name := 'event_' || lpad(v_first::text, 19, '0');
        execute format(
            'create table %I (like event including defaults including constraints including comments including storage '
            'including compression, primary key ("position"), unique (stream_id, version), '
            'constraint bounds check ("position" >= %s and "position" < %s)) with (%s)',
            v_name, v_first, v_end, partition_storage());
        execute format('create trigger append_only before update or delete or truncate on %I '
            'for each statement execute function refuse_change()', v_name);
        execute format('grant select on %I to rollbook_service', v_name);
        execute format('alter table event attach partition %I for values from (%s) to (%s)', v_name, v_first, v_end);
        execute format('alter table %I drop constraint bounds', v_name);
        insert into event_partition values (v_first, v_end, v_name);
        v_made := v_made + 1;
    end loop;
    return v_made;
end $$;
comment on function prepare_partitions is 'Makes partitions until p_ahead of them lie wholly after the head.';

-- The partition that appends look into first. Late is slower, never wrong: what is not found there is looked up in all.
-- It waits for whoever has a transaction open that looked into the views, and appends wait behind it: not for long, and
-- the keeper tries again.
create function roll_over() returns boolean
language plpgsql volatile security definer set search_path = ledger, pg_temp as $$
declare
    v_name text;
    v_end bigint;
begin
    lock table append_lock in exclusive mode;
    select p.table_name, p.end_position
      into strict v_name, v_end
      from event_partition p
     where (select b.last_position + 1 from append_batch b order by b.last_position desc limit 1)
           between p.first_position and p.end_position - 1;
    if exists (select from pg_views where schemaname = 'ledger' and viewname = 'current_range') then
        if (select r.end_position from current_range r) = v_end then
            return false;
        end if;
    end if;
    execute format('create or replace view current_event as select stream_id, version from %I', v_name);
    execute format('create or replace view current_range as select %s::bigint as end_position', v_end);
    grant select on current_event, current_range to rollbook_service;
    return true;
end $$;
comment on function roll_over is 'Points the appends at the partition that the head has come to; false if it is that one.';

select prepare_partitions(2);
select roll_over();
-- From now on appends would wait with it. Here only other migrations of the cluster are in the way, and may be.
alter function roll_over() set lock_timeout = '100ms';

-- Names -----------------------------------------------------------------------------------------------------------

create function open_streams(p_name text[]) returns table (name text, stream_id bigint)
language plpgsql volatile security definer set search_path = ledger, pg_temp as $$
#variable_conflict use_column
begin
    insert into stream (name)
    select distinct n.name
      from unnest(p_name) n(name)
     where not exists (select from stream s where s.name = n.name)
        on conflict do nothing;
    return query
    select s.name, s.stream_id
      from stream s
     where s.name = any (p_name);
end $$;
comment on function open_streams is 'The ids of streams by name; those that are new get one.';

create function open_types(p_name text[]) returns table (name text, type_id int)
language plpgsql volatile security definer set search_path = ledger, pg_temp as $$
#variable_conflict use_column
begin
    insert into event_type (name)
    select distinct n.name
      from unnest(p_name) n(name)
     where not exists (select from event_type t where t.name = n.name)
        on conflict do nothing;
    return query
    select t.name, t.type_id
      from event_type t
     where t.name = any (p_name);
end $$;
comment on function open_types is 'The ids of event types by name; those that are new get one.';

create function open_actors(
    p_subject text[], p_issuer text[], p_method text[], p_on_behalf_of text[]
) returns table (o bigint, actor_id int)
language plpgsql volatile security definer set search_path = ledger, pg_temp as $$
#variable_conflict use_column
begin
    insert into actor (subject, issuer, method, on_behalf_of)
    select distinct n.subject, n.issuer, n.method, n.on_behalf_of
      from unnest(p_subject, p_issuer, p_method, p_on_behalf_of) n(subject, issuer, method, on_behalf_of)
     where not exists (
           select
             from actor a
            where (a.subject, a.issuer, a.method) = (n.subject, n.issuer, n.method)
              and a.on_behalf_of is not distinct from n.on_behalf_of)
        on conflict do nothing;
    return query
    select n.o, a.actor_id
      from unnest(p_subject, p_issuer, p_method, p_on_behalf_of) with ordinality
           n(subject, issuer, method, on_behalf_of, o)
      join actor a on (a.subject, a.issuer, a.method) = (n.subject, n.issuer, n.method)
       and a.on_behalf_of is not distinct from n.on_behalf_of;
end $$;
comment on function open_actors is 'The id of each actor, in order; those that are new get one.';

-- Appending -------------------------------------------------------------------------------------------------------

create type new_event as (
    stream_id bigint,
    event_id uuid,
    type_id int,
    actor_id int,
    occurred_at timestamptz,
    causation uuid,
    correlation uuid,
    data text,
    metadata text,
    content_hash bytea
);

-- The lone event: no arrays are taken apart. Whatever is not plain is left to append, which judges it.
create function append_one(
    p_stream bigint, p_expected bigint, p_event_id uuid, p_type int, p_actor int, p_occurred_at timestamptz,
    p_causation uuid, p_correlation uuid, p_data text, p_metadata text, p_content_hash bytea,
    p_lease text, p_lease_epoch bigint,
    out "position" bigint, out recorded_at timestamptz, out epoch int
)
language plpgsql volatile security definer set search_path = ledger, pg_temp as $$
declare
    v_head bigint;
    v_now timestamptz;
    v_epoch int;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'ledger.append_one needs READ COMMITTED: an older snapshot would not see the head';
    end if;
    -- A statement of its own: the snapshots of those below then see every earlier append.
    lock table append_lock in exclusive mode;
    select b.last_position, greatest(clock_timestamp(), b.recorded_at), b.epoch
      into strict v_head, v_now, v_epoch
      from append_batch b
     order by b.last_position desc
     limit 1;
    -- Once the head lies beyond the current partition, what that one has may not be the last. Versions below the expected
    -- one are left out: the scan would go through all that the stream has on a page of the index.
    if p_expected is null
       or v_head >= (select r.end_position from current_range r)
       or (select c.version
             from current_event c
            where c.stream_id = p_stream and c.version >= p_expected
            order by c.version desc
            limit 1) is distinct from p_expected
       or p_lease is not null and not exists (
           select from lease l where l.name = p_lease and l.epoch = p_lease_epoch) then
        return;
    end if;
    insert into event (
           "position", stream_id, version, recorded_at, occurred_at, event_id, correlation, causation, type_id,
           actor_id, epoch, content_hash, data, metadata)
    values (
           v_head + 1, p_stream, p_expected + 1, v_now, p_occurred_at, p_event_id, p_correlation, p_causation, p_type,
           p_actor, v_epoch, p_content_hash, p_data, p_metadata);
    insert into append_batch values (v_head + 1, v_head + 1, v_now, v_epoch);
    perform pg_notify('ledger', (v_head + 1)::text);
    "position" := v_head + 1;
    recorded_at := v_now;
    epoch := v_epoch;
end $$;
comment on function append_one is
    'Appends one event to a stream whose last event lies in the current partition; null if it is not that simple.';

create function append(
    p_stream bigint[],          -- of each request; a stream at most once in a call
    p_expected bigint[],        -- of each request: its stream's version; null accepts any
    p_event new_event[],        -- in the order of the requests
    p_command uuid[],           -- of each request: the command that it answers, or null; null if none has one
    p_fingerprint bytea[],      -- of each request: what the command orders; null if none has one
    p_lease text[],             -- of each request: the lease that it is made under; null if none is
    p_lease_epoch bigint[],
    out first_position bigint,  -- of the first event appended
    out recorded_at timestamptz,
    out epoch int,
    out status text[],          -- null: all were appended, in order. Else of each request: appended; duplicate: the
                                -- first result follows; conflict: the actual version follows; fenced: somebody else
                                -- holds the lease; reused: the command id stands for another order
    out version bigint[],       -- of each request: of its stream after its last event
    out "position" bigint[],    -- of each request: of its last event; without events, the head
    out at timestamptz[],       -- of each request: when it was recorded
    out reused_on text[]        -- of each request: where its command id stands for another order, if it does
)
language plpgsql volatile security definer set search_path = ledger, pg_temp as $$
#variable_conflict use_column
declare
    v_head bigint;
    v_now timestamptz;
    v_epoch int;
    v_total bigint := cardinality(p_event);
    v_plain bigint;
    v_is_current boolean;       -- whether the current partition has the last event of all
    v_base bigint[];            -- of each request: its stream's version before it
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'ledger.append needs READ COMMITTED: an older snapshot would not see the head';
    end if;
    -- A statement of its own: the snapshots of those below then see every earlier append.
    lock table append_lock in exclusive mode;
    select b.last_position, greatest(clock_timestamp(), b.recorded_at), b.epoch
      into strict v_head, v_now, v_epoch
      from append_batch b
     order by b.last_position desc
     limit 1;
    first_position := v_head + 1;
    append.recorded_at := v_now;
    append.epoch := v_epoch;

    -- Positions only grow, so a version that the current partition has is the stream's last: unless the head has left it.
    v_is_current := v_head < (select r.end_position from current_range r);
    if p_command is null and v_is_current then
        select count(*) into v_plain
          from unnest(p_stream, p_expected) r(stream_id, expected)
         where (select c.version
                  from current_event c
                 where c.stream_id = r.stream_id and c.version >= r.expected
                 order by c.version desc
                 limit 1) = r.expected;
        if v_plain = cardinality(p_stream) and p_lease is not null then
            select count(*) into v_plain
              from unnest(p_lease, p_lease_epoch) r(lease, epoch)
             where r.lease is null
                or exists (select from lease l where l.name = r.lease and l.epoch = r.epoch);
        end if;
    end if;
    if v_plain = cardinality(p_stream) and v_total = v_plain then
        insert into event (
               "position", stream_id, version, recorded_at, occurred_at, event_id, correlation, causation, type_id,
               actor_id, epoch, content_hash, data, metadata)
        select v_head + e.o, e.stream_id, p_expected[e.o] + 1, v_now, e.occurred_at, e.event_id, e.correlation,
               e.causation, e.type_id, e.actor_id, v_epoch, e.content_hash, e.data, e.metadata
          from unnest(p_event) with ordinality
               e(stream_id, event_id, type_id, actor_id, occurred_at, causation, correlation, data, metadata,
                 content_hash, o)
         where e.stream_id = p_stream[e.o];
        get diagnostics v_total = row_count;
        if v_total < v_plain then
            raise exception 'ledger.append takes the events in the order of their requests';
        end if;
    else
        if (select count(distinct r.stream_id) from unnest(p_stream) r(stream_id)) <> cardinality(p_stream)
           or exists (select from unnest(p_event) e where e.stream_id <> all (p_stream)) then
            raise exception 'ledger.append takes one request for each stream, and no event without one';
        end if;
        with judged as (
            select r.o, r.command, r.fingerprint, r.expected, own.n, h.base, c.version as receipt_version,
                   c."position" as receipt_position, c.recorded_at as receipt_at, known."position" as known_position,
                   known.recorded_at as known_at,
                   case when c.command_id is not null and c.fingerprint is distinct from r.fingerprint then 'reused'
                        when c.command_id is not null or known.n = own.n then 'duplicate'
                        when other.is_another then 'reused'
                        when r.lease is not null and not exists (
                             select from lease l where l.name = r.lease and l.epoch = r.lease_epoch) then 'fenced'
                        when r.expected is null or r.expected = h.base then 'appended'
                        else 'conflict'
                   end as alone,
                   case when c.command_id is not null then r.stream_id else other.stream_id end as receipt_on
              from unnest(p_stream, p_expected, p_command, p_fingerprint, p_lease, p_lease_epoch) with ordinality
                   r(stream_id, expected, command, fingerprint, lease, lease_epoch, o)
             cross join lateral (
                   select count(*) as n
                     from unnest(p_event) e
                    where e.stream_id = r.stream_id) own
             cross join lateral (
                   select coalesce(
                          (select c.version
                             from current_event c
                            where v_is_current and c.stream_id = r.stream_id
                              and c.version >= coalesce(r.expected, 1)
                            order by c.version desc
                            limit 1),
                          (select x.version
                             from event x
                            where x.stream_id = r.stream_id
                            order by x.version desc
                            limit 1),
                          0) as base) h
              left join receipt c on c.command_id = r.command and c.stream_id = r.stream_id
              left join lateral (
                   select x.stream_id, x.fingerprint is distinct from r.fingerprint as is_another
                     from receipt x
                    where x.command_id = r.command
                    order by is_another desc, x."position"
                    limit 1) other on true
              left join lateral (
                   select count(*) as n, max(x."position") as "position", max(x.recorded_at) as recorded_at
                     from (
                          select e.event_id, row_number() over (order by e.o) as k
                            from unnest(p_event) with ordinality
                                 e(stream_id, event_id, type_id, actor_id, occurred_at, causation, correlation, data,
                                   metadata, content_hash, o)
                           where e.stream_id = r.stream_id) e
                     join event x on x.stream_id = r.stream_id and x.version = r.expected + e.k
                      and x.event_id = e.event_id
                   having count(*) > 0) known on h.base >= r.expected + own.n
        ), compared as (
            -- Of orders that arrive at once under one command id, the first that is appended is the one that it stands for.
            select j.*, case when j.alone <> 'duplicate' and j.o > j.first_o
                                  and j.fingerprint is distinct from p_fingerprint[j.first_o] then 'reused'
                             else j.alone
                        end as status,
                   case j.alone when 'reused' then j.receipt_on else p_stream[j.first_o] end as reused_on
              from (
                   select *, case when command is not null then
                                  min(o) filter (where alone = 'appended') over (partition by command)
                             end as first_o
                     from judged) j
        ), placed as (
            select *, v_head + sum(case status when 'appended' then n else 0 end) over (order by o) as last_position
              from compared
        )
        select array_agg(status order by o),
               array_agg(base order by o),
               array_agg(case status
                             when 'appended' then base + n
                             when 'duplicate' then coalesce(receipt_version, expected + n)
                             else base
                         end order by o),
               array_agg(case status
                             when 'appended' then last_position
                             when 'duplicate' then coalesce(receipt_position, known_position)
                         end order by o),
               array_agg(case status
                             when 'appended' then v_now
                             when 'duplicate' then coalesce(receipt_at, known_at)
                         end order by o),
               array_agg(case status
                             when 'reused' then (select s.name from stream s where s.stream_id = placed.reused_on)
                         end order by o)
          into append.status, v_base, append.version, append."position", append.at, append.reused_on
          from placed;

        insert into event (
               "position", stream_id, version, recorded_at, occurred_at, event_id, correlation, causation, type_id,
               actor_id, epoch, content_hash, data, metadata)
        select v_head + row_number() over (order by e.o), e.stream_id,
               r.base + row_number() over (partition by e.stream_id order by e.o), v_now, e.occurred_at, e.event_id,
               e.correlation, e.causation, e.type_id, e.actor_id, v_epoch, e.content_hash, e.data, e.metadata
          from unnest(p_event) with ordinality
               e(stream_id, event_id, type_id, actor_id, occurred_at, causation, correlation, data, metadata,
                 content_hash, o)
          join unnest(p_stream, append.status, v_base) r(stream_id, status, base)
            on r.stream_id = e.stream_id and r.status = 'appended'
         order by e.o;
        get diagnostics v_total = row_count;

        insert into receipt (command_id, stream_id, version, "position", recorded_at, fingerprint)
        select r.command, r.stream_id, r.version, r.last_position, v_now, r.fingerprint
          from unnest(p_command, p_fingerprint, p_stream, append.version, append."position", append.status)
               r(command, fingerprint, stream_id, version, last_position, status)
         where r.status = 'appended' and r.command is not null;
    end if;

    if v_total > 0 then
        insert into append_batch values (v_head + v_total, v_head + 1, v_now, v_epoch);
        perform pg_notify('ledger', (v_head + v_total)::text);
    end if;
end $$;

-- Checkpoints -----------------------------------------------------------------------------------------------------

create function move_checkpoint(p_projection text, p_version int, p_from bigint, p_to bigint) returns boolean
language plpgsql volatile security definer set search_path = ledger, pg_temp as $$
declare
    v_event uuid;
    v_epoch int;
begin
    select e.event_id, e.epoch into v_event, v_epoch from event e where e."position" = p_to;
    if not found then
        raise exception 'the log has no event at position %', p_to using errcode = 'no_data_found';
    end if;
    if p_from = 0 then
        insert into checkpoint as c (projection, version, "position", event_id, epoch)
        values (p_projection, p_version, p_to, v_event, v_epoch)
            on conflict (projection) do update
           set "position" = excluded."position", event_id = excluded.event_id, epoch = excluded.epoch
         where c.version = p_version and c."position" = 0;
    else
        update checkpoint c
           set "position" = p_to, event_id = v_event, epoch = v_epoch
         where c.projection = p_projection and c.version = p_version and c."position" = p_from;
    end if;
    return found;
end $$;
comment on function move_checkpoint is 'Moves a checkpoint that stands at p_from; false if it stands elsewhere.';

create function reset_checkpoint(p_projection text, p_version int) returns void
language sql volatile security definer set search_path = ledger, pg_temp as $$
    insert into checkpoint as c (projection, version, "position", event_id, epoch)
    select p_projection, p_version, 0, null, b.epoch
      from append_batch b
     order by b.last_position desc
     limit 1
        on conflict (projection) do update
       set version = excluded.version, "position" = 0, event_id = null, epoch = excluded.epoch
$$;
comment on function reset_checkpoint is 'Puts a projection, of this version, at the beginning of the log.';

-- For people ------------------------------------------------------------------------------------------------------

-- JSON has numbers that jsonb has not, such as 1e400000. Parallel unsafe, for what is caught begins a subtransaction.
create function readable(p_text text) returns jsonb
language plpgsql immutable set search_path = ledger, pg_temp as $$
begin
    return p_text::jsonb;
exception when data_exception or program_limit_exceeded then
    return to_jsonb(p_text);
end $$;
comment on function readable is 'JSON text as jsonb; as one text where jsonb cannot hold it.';

create view event_readable as
select e."position", s.name as stream, e.version, t.name as type, e.occurred_at, e.recorded_at,
       a.subject, a.issuer, a.method, a.on_behalf_of, e.event_id, e.causation, e.correlation, e.epoch,
       readable(e.data) as data, readable(e.metadata) as metadata
  from event e
  join stream s using (stream_id)
  join event_type t using (type_id)
  join actor a using (actor_id);

-- Who may what ----------------------------------------------------------------------------------------------------

revoke all on all functions in schema ledger from public;
grant usage on schema ledger to rollbook_service;
grant select on all tables in schema ledger to rollbook_service;
revoke select on append_lock from rollbook_service;
grant execute on function readable, append, append_one, open_streams, open_types, open_actors, prepare_partitions, roll_over,
    move_checkpoint, reset_checkpoint to rollbook_service;

reset role;
set local search_path = default;

-- Owned by whoever migrates, who may end the service's sessions where the log's owner may not.
create function ledger.end_stalled_append() returns int
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    with stalled as materialized (
        select l.pid
          from pg_locks l
          join pg_stat_activity a using (pid)
         where l.locktype = 'relation' and l.relation = 'ledger.append_lock'::regclass and l.granted
           and l.database = (select d.oid from pg_database d where d.datname = current_database())
           and a.wait_event = 'ClientRead')
    select count(*) filter (where pg_terminate_backend(s.pid))::int
      from stalled s
$$;
comment on function ledger.end_stalled_append is
    'Ends sessions that hold the append lock and wait for their client; what they had not committed is undone.';
revoke all on function ledger.end_stalled_append from public;
grant execute on function ledger.end_stalled_append to rollbook_service;
