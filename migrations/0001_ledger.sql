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
comment on table append_lock is 'Always empty; locking it orders the appends. Only the append function''s owner can.';

create table append_batch (
    last_position bigint primary key,
    first_position bigint not null,
    recorded_at timestamptz not null,
    epoch int not null check (epoch > 0),
    check (last_position >= first_position or (last_position, first_position) = (0, 1))
);
create index append_batch_recorded_at on append_batch (recorded_at, last_position);
comment on table append_batch is
    'One row for each append transaction, insert-only: the newest is the head; the rest map time to position.';
insert into append_batch values (0, 1, '2000-01-01 00:00:00+00', 1);

create table event (
    "position" bigint primary key check ("position" > 0),
    stream_id bigint not null,
    version bigint not null check (version > 0),
    recorded_at timestamptz not null,
    occurred_at timestamptz not null,
    event_id uuid not null unique,
    correlation uuid not null,
    causation uuid,
    type_id int not null,
    actor_id int not null,
    epoch int not null check (epoch > 0),
    content_hash bytea not null check (octet_length(content_hash) = 32),
    data text not null check (data::jsonb is not null),
    metadata text not null check (metadata::jsonb is not null),
    unique (stream_id, version)
);
alter table event alter data set compression lz4;
comment on column event.data is 'Exactly the JSON text that was hashed; event_readable has it as jsonb.';
comment on column event.content_hash is 'SHA-256 of the content, computed by the client before the append.';

create table stream_head (
    stream_id bigint primary key,
    version bigint not null check (version > 0),
    last_position bigint not null
) with (fillfactor = 50);
comment on table stream_head is 'How far each stream has come; moves with the append, never on its own.';

create table receipt (
    command_id uuid not null,
    stream_id bigint not null,
    version bigint not null,
    "position" bigint not null,
    recorded_at timestamptz not null,
    primary key (command_id, stream_id)
);
comment on table receipt is 'What a command was answered, also when it led to no event, so that a repeat is recognised.';

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

-- Appending -------------------------------------------------------------------------------------------------------

create function append(
    p_stream text[],            -- of each request; a stream at most once in a call
    p_expected bigint[],        -- of each request: its stream's version; null accepts any
    p_command uuid[],           -- of each request: the command that it answers, or null
    p_request int[],            -- of each event: which request it belongs to, from 1
    p_event_id uuid[],
    p_type text[],
    p_occurred_at timestamptz[],
    p_subject text[],
    p_issuer text[],
    p_method text[],
    p_on_behalf_of text[],
    p_causation uuid[],
    p_correlation uuid[],
    p_content_hash bytea[],
    p_data text[],
    p_metadata text[]
) returns table (
    status text,                -- appended; duplicate: the first result follows; conflict: the actual version follows;
                                -- reused: an event id stands elsewhere in the log
    version bigint,             -- of the stream after the request's last event
    "position" bigint,          -- of the request's last event; without events, the head
    recorded_at timestamptz
)
language plpgsql volatile security definer set search_path = ledger, pg_temp as $$
#variable_conflict use_column
declare
    v_head bigint;
    v_now timestamptz;
    v_epoch int;
    v_status text[];
    v_stream_id bigint[];
    v_base bigint[];            -- the version before the request's first event
    v_version bigint[];
    v_position bigint[];
    v_at timestamptz[];
    v_inserted bigint;
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

    with own as (
        select e.request, count(*) as n, array_agg(e.event_id) as ids
          from unnest(p_request, p_event_id) e(request, event_id)
         group by e.request
    ), judged as (
        select r.o, s.stream_id, coalesce(own.n, 0) as n, coalesce(h.version, 0) as base,
               c.version as receipt_version, c."position" as receipt_position, c.recorded_at as receipt_at,
               known.version as known_version, known."position" as known_position, known.recorded_at as known_at,
               case when c.command_id is not null then 'duplicate'
                    when known.n = own.n and known.together then 'duplicate'
                    when known.n > 0 then 'reused'
                    when r.expected is null or r.expected = coalesce(h.version, 0) then 'appended'
                    else 'conflict'
               end as status
          from unnest(p_stream, p_expected, p_command) with ordinality r(name, expected, command, o)
          left join own on own.request = r.o
          left join stream s on s.name = r.name
          left join stream_head h on h.stream_id = s.stream_id
          left join receipt c on c.command_id = r.command and c.stream_id = s.stream_id
         cross join lateral (
               select count(*) as n, max(x.version) as version, max(x."position") as "position",
                      max(x.recorded_at) as recorded_at,
                      bool_and(x.stream_id is not distinct from s.stream_id)
                          and max(x.version) - min(x.version) + 1 = count(*) as together
                 from event x
                where x.event_id = any (own.ids)) known
    ), placed as (
        select *, v_head + sum(case status when 'appended' then n else 0 end) over (order by o) as last_position
          from judged
    )
    select array_agg(status order by o),
           array_agg(stream_id order by o),
           array_agg(base order by o),
           array_agg(case status
                         when 'appended' then base + n
                         when 'duplicate' then coalesce(receipt_version, known_version)
                         else base
                     end order by o),
           array_agg(case status
                         when 'appended' then last_position
                         when 'duplicate' then coalesce(receipt_position, known_position)
                     end order by o),
           array_agg(case status
                         when 'appended' then v_now
                         when 'duplicate' then coalesce(receipt_at, known_at)
                     end order by o)
      into v_status, v_stream_id, v_base, v_version, v_position, v_at
      from placed;

    if 'appended' = any (v_status) then
        insert into stream (name)
        select r.name
          from unnest(p_stream, v_stream_id, v_status) with ordinality r(name, stream_id, status, o)
         where r.stream_id is null and r.status = 'appended'
         order by r.o;
        if found then
            select array_agg(coalesce(r.stream_id, s.stream_id) order by r.o)
              into v_stream_id
              from unnest(p_stream, v_stream_id) with ordinality r(name, stream_id, o)
              left join stream s on s.name = r.name;
        end if;

        insert into event_type (name)
        select distinct e.type
          from unnest(p_type) e(type)
         where not exists (select from event_type t where t.name = e.type);

        insert into actor (subject, issuer, method, on_behalf_of)
        select distinct e.subject, e.issuer, e.method, e.on_behalf_of
          from unnest(p_subject, p_issuer, p_method, p_on_behalf_of) e(subject, issuer, method, on_behalf_of)
         where not exists (
               select
                 from actor a
                where a.subject = e.subject and a.issuer = e.issuer and a.method = e.method
                  and a.on_behalf_of is not distinct from e.on_behalf_of);

        insert into event (
               "position", stream_id, version, recorded_at, occurred_at, event_id, correlation, causation,
               type_id, actor_id, epoch, content_hash, data, metadata)
        select v_head + row_number() over (order by e.o),
               v_stream_id[e.request],
               v_base[e.request] + row_number() over (partition by e.request order by e.o),
               v_now, e.occurred_at, e.event_id, e.correlation, e.causation,
               (select t.type_id from event_type t where t.name = e.type),
               (select a.actor_id
                  from actor a
                 where a.subject = e.subject and a.issuer = e.issuer and a.method = e.method
                   and a.on_behalf_of is not distinct from e.on_behalf_of),
               v_epoch, e.content_hash, e.data, e.metadata
          from unnest(p_request, p_event_id, p_type, p_occurred_at, p_subject, p_issuer, p_method, p_on_behalf_of,
                      p_causation, p_correlation, p_content_hash, p_data, p_metadata) with ordinality
               e(request, event_id, type, occurred_at, subject, issuer, method, on_behalf_of,
                 causation, correlation, content_hash, data, metadata, o)
         where v_status[e.request] = 'appended'
         order by e.o;
        get diagnostics v_inserted = row_count;

        insert into stream_head as h (stream_id, version, last_position)
        select r.stream_id, r.version, r.last_position
          from unnest(v_stream_id, v_version, v_base, v_position, v_status)
               r(stream_id, version, base, last_position, status)
         where r.status = 'appended' and r.version > r.base
            on conflict (stream_id) do update
           set version = excluded.version, last_position = excluded.last_position;

        insert into receipt (command_id, stream_id, version, "position", recorded_at)
        select r.command, r.stream_id, r.version, r.last_position, v_now
          from unnest(p_command, v_stream_id, v_version, v_position, v_status)
               r(command, stream_id, version, last_position, status)
         where r.status = 'appended' and r.command is not null;

        if v_inserted > 0 then
            insert into append_batch (last_position, first_position, recorded_at, epoch)
            values (v_head + v_inserted, v_head + 1, v_now, v_epoch);
            perform pg_notify('ledger', (v_head + v_inserted)::text);
        end if;
    end if;

    return query
    select r.status, r.version, r.last_position, r.at
      from unnest(v_status, v_version, v_position, v_at) with ordinality r(status, version, last_position, at, o)
     order by r.o;
end $$;

-- Checkpoints -----------------------------------------------------------------------------------------------------

create function move_checkpoint(
    p_projection text, p_version int, p_from bigint, p_to bigint, p_event_id uuid, p_epoch int
) returns boolean
language sql volatile security definer set search_path = ledger, pg_temp as $$
    with moved as (
        insert into checkpoint as c (projection, version, "position", event_id, epoch)
        select p_projection, p_version, p_to, p_event_id, p_epoch
         where p_from = 0 or exists (
               select from checkpoint k where k.projection = p_projection)
            on conflict (projection) do update
           set "position" = excluded."position", event_id = excluded.event_id, epoch = excluded.epoch
         where c.version = p_version and c."position" = p_from
        returning 1)
    select exists (select from moved)
$$;
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

create view event_readable as
select e."position", s.name as stream, e.version, t.name as type, e.occurred_at, e.recorded_at,
       a.subject, a.issuer, a.method, a.on_behalf_of, e.event_id, e.causation, e.correlation, e.epoch,
       e.data::jsonb as data, e.metadata::jsonb as metadata
  from event e
  join stream s using (stream_id)
  join event_type t using (type_id)
  join actor a using (actor_id);

-- Who may what ----------------------------------------------------------------------------------------------------

revoke all on all functions in schema ledger from public;
grant usage on schema ledger to rollbook_service;
grant select on all tables in schema ledger to rollbook_service;
revoke select on append_lock from rollbook_service;
grant execute on function append, move_checkpoint, reset_checkpoint to rollbook_service;

reset role;
set local search_path = default;
