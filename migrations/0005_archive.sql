-- Import and archive: events that come from files, and ranges of the log that go into them.

set local role rollbook_ledger;
set local search_path = ledger, pg_temp;

-- Import: many events at once, as another ledger recorded them -----------------------------------------------------

create type imported_event as (
    stream_id bigint,
    version bigint,
    event_id uuid,
    type_id int,
    actor_id int,
    occurred_at timestamptz,
    causation uuid,
    correlation uuid,
    data text,
    metadata text,
    content_hash bytea,
    recorded_at timestamptz,    -- of an event that keeps its place, else null
    epoch int
);

create function place_events(
    p_event imported_event[],
    p_first_position bigint,    -- where events that keep their places begin; null: they are recorded now
    out appended bigint,        -- how many
    out known bigint,           -- how many stood there already
    out last_position bigint,   -- of the last one appended; null if none was
    out refused bigint,         -- which event, from 1, cannot be appended: nothing was; null if all are in the log now
    out reason text,            -- gap: its stream ends earlier; taken: another event stands there; missing: that event
                                -- cannot be read; place: its position, time or epoch does not follow on the last one
    out actual text             -- what is there instead
)
language plpgsql volatile security definer set search_path = ledger, pg_temp set work_mem = '64MB' as $$
#variable_conflict use_column
declare
    v_head bigint;
    v_recorded_at timestamptz;
    v_now timestamptz;
    v_epoch int;
    v_stream bigint[];
    v_base bigint[];
    v_overlap bigint;
    v_uneven bigint;
    v_gap bigint;
    v_given bigint[];           -- which of the events that were given are left; null: all
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'ledger.place_events needs READ COMMITTED: an older snapshot would not see the head';
    end if;
    -- A statement of its own: the snapshots of those below then see every earlier append.
    lock table append_lock in exclusive mode;
    select b.last_position, b.recorded_at, greatest(clock_timestamp(), b.recorded_at), b.epoch
      into strict v_head, v_recorded_at, v_now, v_epoch
      from append_batch b
     order by b.last_position desc
     limit 1;
    select array_agg(s.stream_id), array_agg(h.base),
           count(*) filter (where h.base >= s.first_version),
           count(*) filter (where s.last_version - s.first_version + 1 <> s.n),
           min(s.o) filter (where h.base < s.first_version - 1)
      into v_stream, v_base, v_overlap, v_uneven, v_gap
      from (
           select e.stream_id, min(e.version) as first_version, max(e.version) as last_version, count(*) as n,
                  min(e.o) as o
             from unnest(p_event) with ordinality
                  e(stream_id, version, event_id, type_id, actor_id, occurred_at, causation, correlation, data, metadata,
                    content_hash, recorded_at, epoch, o)
            group by e.stream_id) s
     cross join lateral (
           select coalesce((
                  select x.version
                    from event x
                   where x.stream_id = s.stream_id
                   order by x.version desc
                   limit 1), 0) as base) h;
    if v_uneven > 0 then
        raise exception 'ledger.place_events takes the events of a stream without gaps';
    end if;
    known := 0;
    appended := 0;
    if v_gap is not null then
        refused := v_gap;
        reason := 'gap';
        select b.base::text
          into actual
          from unnest(v_stream, v_base) b(stream_id, base)
         where b.stream_id = p_event[v_gap].stream_id;
        return;
    end if;
    if v_overlap > 0 then
        select g.o, case when g.standing is null then 'missing' else 'taken' end, g.standing::text
          into refused, reason, actual
          from (
               select e.o, x.event_id as standing
                 from unnest(p_event) with ordinality
                      e(stream_id, version, event_id, type_id, actor_id, occurred_at, causation, correlation, data,
                        metadata, content_hash, recorded_at, epoch, o)
                 join unnest(v_stream, v_base) b(stream_id, base)
                   on b.stream_id = e.stream_id and e.version <= b.base
                 left join event x on x.stream_id = e.stream_id and x.version = e.version
                where x.event_id is distinct from e.event_id or x.content_hash is distinct from e.content_hash
                order by e.o
                limit 1) g;
        if refused is not null then
            return;
        end if;
        select array_agg(
                   row(e.stream_id, e.version, e.event_id, e.type_id, e.actor_id, e.occurred_at, e.causation,
                       e.correlation, e.data, e.metadata, e.content_hash, e.recorded_at, e.epoch)::imported_event
                   order by e.o),
               array_agg(e.o order by e.o),
               cardinality(p_event) - count(*)
          into p_event, v_given, known
          from unnest(p_event) with ordinality
               e(stream_id, version, event_id, type_id, actor_id, occurred_at, causation, correlation, data, metadata,
                 content_hash, recorded_at, epoch, o)
          join unnest(v_stream, v_base) b(stream_id, base)
            on b.stream_id = e.stream_id and e.version > b.base;
        if p_event is null then
            return;
        end if;
    end if;
    if p_first_position is not null then
        select coalesce(v_given[p.o], p.o), 'place',
               format('position %s, recorded at %s in epoch %s', v_head, v_recorded_at, v_epoch)
          into refused, reason, actual
          from (
               select e.o, e.recorded_at, e.epoch,
                      lag(e.recorded_at, 1, v_recorded_at) over (order by e.o) as time_before,
                      lag(e.epoch, 1, v_epoch) over (order by e.o) as epoch_before
                 from unnest(p_event) with ordinality
                      e(stream_id, version, event_id, type_id, actor_id, occurred_at, causation, correlation, data,
                        metadata, content_hash, recorded_at, epoch, o)) p
         where p_first_position + known <> v_head + 1 or p.recorded_at is null or p.recorded_at < p.time_before
            or p.recorded_at > clock_timestamp() or p.epoch is null or p.epoch < p.epoch_before
         order by p.o
         limit 1;
        if refused is not null then
            return;
        end if;
    end if;

    insert into event (
           "position", stream_id, version, recorded_at, occurred_at, event_id, correlation, causation, type_id,
           actor_id, epoch, content_hash, data, metadata)
    select v_head + e.o, e.stream_id, e.version, coalesce(e.recorded_at, v_now), e.occurred_at, e.event_id,
           e.correlation, e.causation, e.type_id, e.actor_id, coalesce(e.epoch, v_epoch), e.content_hash, e.data,
           e.metadata
      from unnest(p_event) with ordinality
           e(stream_id, version, event_id, type_id, actor_id, occurred_at, causation, correlation, data, metadata,
             content_hash, recorded_at, epoch, o);
    get diagnostics appended = row_count;
    last_position := v_head + appended;
    if p_first_position is null then
        insert into append_batch values (last_position, v_head + 1, v_now, v_epoch);
    else
        insert into append_batch (last_position, first_position, recorded_at, epoch)
        select v_head + max(e.o), v_head + min(e.o), e.recorded_at, e.epoch
          from unnest(p_event) with ordinality
               e(stream_id, version, event_id, type_id, actor_id, occurred_at, causation, correlation, data, metadata,
                 content_hash, recorded_at, epoch, o)
         group by e.recorded_at, e.epoch;
    end if;
    perform pg_notify('ledger', last_position::text);
end $$;
comment on function place_events is
    'Appends events that were recorded elsewhere, all or none; those that stand there already are passed over.';

create function import_events(
    p_event imported_event[], out appended bigint, out known bigint, out last_position bigint, out refused bigint,
    out reason text, out actual text
)
language sql volatile security definer set search_path = ledger, pg_temp as $$
    select p.* from place_events(p_event, null) p
$$;
comment on function import_events is 'Appends events of another ledger, recorded now; as place_events.';

revoke all on function place_events, import_events from public;
grant execute on function import_events to rollbook_service;

-- Archive: partitions of the past stand in files, and beside the log -----------------------------------------------

create table archive (
    first_position bigint primary key,
    end_position bigint not null unique check (end_position > first_position),
    table_name text collate "C" not null unique,
    rest_name text collate "C" not null unique,
    is_dropped boolean not null default false,
    events bigint not null check (events > 0),
    kept bigint not null check (kept > 0),
    file text not null check (file <> ''),
    sha256 bytea not null check (octet_length(sha256) = 32),
    root bytea not null check (octet_length(root) = 32),
    announcement uuid not null unique,
    archived_at timestamptz not null default clock_timestamp()
);
comment on table archive is
    'The ranges of the log that stand in files: in the log itself only rest_name is left of them, which is table_name '
    'without what nobody folds.';
comment on column archive.announcement is 'The id of the event in the log that says so, which is appended afterwards.';
comment on column archive.root is 'Of the tree over the log up to end_position - 1.';

create table archivable (
    category text collate "C" primary key check (category <> '')
);
comment on table archivable is
    'Streams of these keep their last event alone in an archived range; all others, which are folded (rollouts, templates, '
    'policies, the log''s own), stay whole.';
insert into archivable values ('access'), ('inbox'), ('sink');

-- What has to stay of a partition. The last event of each stream there, always: it tells the stream's version to who
-- appends. All events of the streams that are folded.
create function prepare_archive(p_first bigint, out kept bigint)
language plpgsql volatile security definer set search_path = ledger, pg_temp as $$
declare
    v_name text;
    v_rest text;
    v_end bigint;
begin
    -- Until this statement's end, so that of two who archive at once the second sees what the first has done.
    lock table archive in share row exclusive mode;
    if exists (select from archive a where a.first_position = p_first) then
        raise exception 'ledger.prepare_archive(%): it is archived already', p_first;
    end if;
    select p.table_name, p.end_position into strict v_name, v_end from event_partition p where p.first_position = p_first;
    v_rest := v_name || '_rest';
    execute format('drop table if exists %I', v_rest);  -- of an attempt that did not come to its end
    execute format(
        'create table %I (like event including defaults including constraints including comments including storage '
        'including compression, primary key ("position"), unique (stream_id, version), '
        'constraint bounds check ("position" >= %s and "position" < %s)) with (%s)',
        v_rest, p_first, v_end, partition_storage());
    execute format(
        'insert into %I
         with stood as (
             select x.stream_id, max(x.version) as last_version
               from %I x
              group by x.stream_id
         ), judged as (
             select o.stream_id, o.last_version,
                    exists (
                        select from archivable a where starts_with(s.name, a.category || ''-'')) as is_thinned
               from stood o
               join stream s using (stream_id))
         select e.*
           from %I e
           join judged j using (stream_id)
          where not j.is_thinned or e.version = j.last_version
          order by e."position"', v_rest, v_name, v_name);
    get diagnostics kept = row_count;
    execute format('create trigger append_only before update or delete or truncate on %I '
        'for each statement execute function refuse_change()', v_rest);
    execute format('grant select on %I to rollbook_service', v_rest);
end $$;
comment on function prepare_archive is 'Makes the table that is to stand in the place of a partition; answers its rows.';

-- Two tables change places in one transaction, so that at no moment a stream's last event is not to be found. The lock
-- waits for who reads, and while it waits, others wait behind it: whoever calls this has a short lock_timeout, and tries
-- again. And nobody may hold it and wait for a client: the statement that calls it is a transaction of its own.
create function swap_partition(p_out text, p_in text, p_first bigint, p_end bigint) returns void
language plpgsql volatile security definer set search_path = ledger, pg_temp as $$
begin
    if (select extract(epoch from current_setting('lock_timeout')::interval)) not between 0.001 and 1 then
        raise exception 'ledger.swap_partition needs a lock_timeout of at most a second: appends wait as long';
    end if;
    lock table event in access exclusive mode;
    execute format('alter table event detach partition %I', p_out);
    execute format('alter table event attach partition %I for values from (%s) to (%s)', p_in, p_first, p_end);
    execute format('alter table %I drop constraint if exists bounds', p_in);
    update event_partition p set table_name = p_in where p.first_position = p_first;
end $$;

create function archive_partition(
    p_first bigint, p_events bigint, p_kept bigint, p_file text, p_sha256 bytea, p_root bytea, p_announcement uuid
) returns void
language plpgsql volatile security definer set search_path = ledger, pg_temp set lock_timeout = '50ms' as $$
declare
    v_name text;
    v_end bigint;
begin
    lock table archive in share row exclusive mode;
    if exists (select from archive a where a.first_position = p_first) then
        raise exception 'ledger.archive_partition(%): it is archived already', p_first;
    end if;
    select p.table_name, p.end_position into strict v_name, v_end from event_partition p where p.first_position = p_first;
    if v_end > (select s.size + 1 from sealed s) or v_end >= (select r.end_position from current_range r) then
        raise exception 'ledger.archive_partition(%): its events are not all sealed, or appends still look into it', p_first;
    end if;
    perform swap_partition(v_name, v_name || '_rest', p_first, v_end);
    insert into archive (
           first_position, end_position, table_name, rest_name, events, kept, file, sha256, root, announcement)
    values (p_first, v_end, v_name, v_name || '_rest', p_events, p_kept, p_file, p_sha256, p_root, p_announcement);
end $$;
comment on function archive_partition is 'Puts what has to stay of a partition in its place, and keeps the partition beside.';

create function drop_archived(p_first bigint) returns boolean
language plpgsql volatile security definer set search_path = ledger, pg_temp as $$
declare
    v_name text;
begin
    update archive a set is_dropped = true where a.first_position = p_first and not a.is_dropped
    returning a.table_name into v_name;
    if v_name is null then
        return false;
    end if;
    execute format('drop table %I', v_name);
    return true;
end $$;
comment on function drop_archived is 'Drops a partition that stands in a file; the caller has verified the file.';

-- An empty table in the place of one that was dropped, or the one that was only put beside; bounded, to be attached.
create function prepare_return(p_first bigint) returns text
language plpgsql volatile security definer set search_path = ledger, pg_temp as $$
declare
    v_archive archive;
begin
    lock table archive in share row exclusive mode;
    -- None if it is back already.
    select * into strict v_archive from archive a where a.first_position = p_first;
    if v_archive.is_dropped then
        execute format('drop table if exists %I', v_archive.table_name);
        execute format(
            'create table %I (like event including defaults including constraints including comments including storage '
            'including compression) with (%s)', v_archive.table_name, partition_storage());
    end if;
    return v_archive.table_name;
end $$;

create function finish_return(p_first bigint) returns void
language plpgsql volatile security definer set search_path = ledger, pg_temp as $$
declare
    v_archive archive;
begin
    select * into strict v_archive from archive a where a.first_position = p_first;
    if v_archive.is_dropped then
        execute format('alter table %I add primary key ("position"), add unique (stream_id, version)', v_archive.table_name);
        execute format('create trigger append_only before update or delete or truncate on %I '
            'for each statement execute function refuse_change()', v_archive.table_name);
        execute format('grant select on %I to rollbook_service', v_archive.table_name);
    end if;
    execute format('alter table %I drop constraint if exists bounds', v_archive.table_name);
    execute format('alter table %I add constraint bounds check ("position" >= %s and "position" < %s)',
        v_archive.table_name, v_archive.first_position, v_archive.end_position);
end $$;

create function return_partition(p_first bigint) returns void
language plpgsql volatile security definer set search_path = ledger, pg_temp set lock_timeout = '50ms' as $$
declare
    v_archive archive;
begin
    select * into strict v_archive from archive a where a.first_position = p_first;
    perform swap_partition(v_archive.rest_name, v_archive.table_name, v_archive.first_position, v_archive.end_position);
    execute format('drop table %I', v_archive.rest_name);
    delete from archive a where a.first_position = p_first;
end $$;
comment on function return_partition is 'Puts an archived partition back in its place; its rows were compared before.';

-- None of these is the service's: who archives has the rights of who migrates.
revoke all on function prepare_archive, swap_partition, archive_partition, drop_archived, prepare_return, finish_return,
    return_partition from public;
grant select on archive, archivable to rollbook_service;

-- Who a subject is: outside the log, and sealed, so that it can be forgotten ----------------------------------------

create table subject (
    name text collate "C" primary key check (name <> ''),
    key bytea check (octet_length(key) = 32),
    erasure uuid,               -- the id of the order to forget the subject
    erased_at timestamptz,
    check ((key is null) = (erasure is not null)),
    check ((erasure is null) = (erased_at is null))
);
comment on table subject is 'The key of each subject that something is known of; without one, it was erased.';

create table subject_detail (
    subject text collate "C" references subject (name),
    field text collate "C" check (field <> ''),
    sealed bytea not null check (octet_length(sealed) >= 28),
    primary key (subject, field)
);
comment on column subject_detail.sealed is
    'AES-256-GCM under the subject''s key: nonce (12 bytes), ciphertext, tag (16 bytes); it authenticates subject and field.';

create function open_subject(p_name text, p_key bytea) returns bytea
language plpgsql volatile security definer set search_path = ledger, pg_temp as $$
declare
    v_key bytea;
begin
    insert into subject (name, key) values (p_name, p_key) on conflict do nothing;
    select s.key into strict v_key from subject s where s.name = p_name;
    return v_key;
end $$;
comment on function open_subject is 'The key of a subject, p_key if it has none yet; null if it was erased.';

create function describe_subject(p_name text, p_field text[], p_sealed bytea[]) returns boolean
language plpgsql volatile security definer set search_path = ledger, pg_temp as $$
begin
    -- Held, so that nothing is written under a key that is destroyed at this moment.
    perform from subject s where s.name = p_name and s.key is not null for share;
    if not found then
        return false;
    end if;
    insert into subject_detail as d (subject, field, sealed)
    select p_name, n.field, n.sealed
      from unnest(p_field, p_sealed) n(field, sealed)
        on conflict (subject, field) do update set sealed = excluded.sealed;
    return true;
end $$;
comment on function describe_subject is 'Keeps sealed details of a subject; false if it was erased.';

create function erase_subject(p_name text, p_order uuid) returns uuid
language plpgsql volatile security definer set search_path = ledger, pg_temp as $$
declare
    v_order uuid;
begin
    -- A name that nobody ever had is a mistake, and what is written here is not taken back.
    if not exists (select from subject s where s.name = p_name)
       and not exists (select from actor a where a.subject = p_name or a.on_behalf_of = p_name) then
        return null;
    end if;
    insert into subject as s (name, erasure, erased_at) values (p_name, p_order, clock_timestamp())
        on conflict (name) do update
       set key = null, erasure = coalesce(s.erasure, excluded.erasure), erased_at = coalesce(s.erased_at, excluded.erased_at)
    returning s.erasure into v_order;
    delete from subject_detail d where d.subject = p_name;
    return v_order;
end $$;
comment on function erase_subject is
    'Destroys a subject''s key and details; answers the id of the order that did it first. Null: nobody has that name.';

revoke all on function open_subject, describe_subject, erase_subject from public;
grant select on subject, subject_detail to rollbook_service;
grant execute on function open_subject, describe_subject, erase_subject to rollbook_service;

reset role;
set local search_path = default;
