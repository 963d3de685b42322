-- Read models: what the log amounts to, row by row. Owned by the service's role, which may drop and rebuild them.
--
-- Each projection's tables carry a number, its generation, and readers see them through views without one. A rebuild
-- fills the tables of the next generation beside the live ones and turns the views over in one short transaction; who
-- writes looks at the generation first, in the transaction that also moves the checkpoint.

create schema views authorization rollbook_service;
set local role rollbook_service;
set local search_path = views, pg_temp;

create table projection (
    name text collate "C" primary key,
    generation int not null check (generation > 0)
);
comment on table projection is 'The generation of each projection''s tables. Its checkpoint stands in ledger.checkpoint.';
insert into projection values ('audit-entry', 1), ('rollout', 1);

create function begin_batch(
    p_projection text, p_generation int, p_version int, p_from bigint, p_to bigint
) returns void
language plpgsql volatile set search_path = views, pg_temp as $$
begin
    perform from projection p where p.name = p_projection and p.generation = p_generation for key share;
    if not found or not ledger.move_checkpoint(p_projection, p_version, p_from, p_to) then
        raise exception 'projection % is not at position % of generation %', p_projection, p_from, p_generation
            using errcode = 'RB001';
    end if;
    -- No flush of its own: rows and checkpoint would be lost together, and are made again.
    perform set_config('synchronous_commit', 'off', true);
end $$;
comment on function begin_batch is
    'Begins a transaction that projects: holds the tables against a rebuild and moves the checkpoint, or fails with RB001.';

create table rebuild (
    projection text collate "C" primary key references projection,
    generation int not null,
    version int not null,
    claim uuid not null,
    passes int not null check (passes > 0),
    pass int not null check (pass between 0 and passes),
    target bigint not null,
    "position" bigint not null,
    event_id uuid,
    epoch int not null,
    check (("position" = 0) = (event_id is null))
);
comment on table rebuild is 'How far the next generation of a projection''s tables is filled, and by whom.';

create table rebuild_fold (
    projection text collate "C" not null,
    stream_id bigint not null,
    state text not null,
    primary key (projection, stream_id)
);
comment on table rebuild_fold is 'What the streams amount to at a rebuild''s position, so that it can be resumed.';

-- What has a column reason says why somebody acted. Who, what and where are ids of the ledger's dictionaries.
create table audit_entry_1 (
    "position" bigint,
    recorded_at timestamptz not null,
    stream_id bigint not null,
    event_id uuid not null,
    correlation uuid not null,
    type_id int not null,
    actor_id int not null,
    reason text,
    constraint audit_entry_1_pkey primary key ("position")
);
create index audit_entry_1_stream on audit_entry_1 (stream_id, "position");
create index audit_entry_1_actor on audit_entry_1 (actor_id, "position");
create index audit_entry_1_type on audit_entry_1 (type_id, "position");
create index audit_entry_1_correlation on audit_entry_1 (correlation, "position");
create index audit_entry_1_event on audit_entry_1 (event_id);
create view audit_entry as select * from audit_entry_1;
comment on view audit_entry is 'One row for each event: when, where, who, what and why.';

-- The newest positions of a word are the end of its part of the key, however frequent it is: no sort, no bitmap.
create table audit_word_1 (
    word text collate "C" not null,
    "position" bigint not null,
    constraint audit_word_1_pkey primary key (word, "position")
);
create view audit_word as select * from audit_word_1;
comment on view audit_word is 'The words of each reason: lexemes of the text search configuration simple.';

create table rollout_summary_1 (
    cluster text collate "C" not null,
    namespace text collate "C" not null,
    name text collate "C" not null,
    strategy text collate "C" not null,
    phase text collate "C" not null,
    message text not null,
    revision int,
    stable_hash text collate "C",
    images text not null,
    step text collate "C",
    set_weight int not null,
    actual_weight int not null,
    desired int not null,
    current int not null,
    updated int not null,
    ready int not null,
    available int not null,
    decision_version int not null,
    version bigint not null,
    "position" bigint not null,
    constraint rollout_summary_1_pkey primary key (cluster, namespace, name)
) with (fillfactor = 50);   -- rows change often: room for the next version of one in the same page
create view rollout_summary as select * from rollout_summary_1;
comment on view rollout_summary is 'One row for each rollout, as of the event at its position; images are JSON.';

create table release_1 (
    release_id uuid not null,
    cluster text collate "C" not null,
    namespace text collate "C" not null,
    rollout text collate "C" not null,
    revision int not null,
    pod_template_hash text collate "C" not null,
    images text not null,
    trigger text collate "C" not null,
    started_by text collate "C" not null,
    started_at timestamptz not null,
    started_position bigint not null,
    outcome text collate "C" not null,
    ended_by text collate "C",
    ended_at timestamptz,
    ended_position bigint,
    message text,
    constraint release_1_pkey primary key (release_id)
);
create index release_1_rollout on release_1 (cluster, namespace, rollout, started_position);
create view release as select * from release_1;
comment on view release is 'One row for each release, from its start to its end; images are JSON.';

-- Snapshots: what rollouts were at some of their versions, so that a question about the past need not begin at the
-- stream's first event. A cache of what the log says: it may be emptied at any time, and fills itself again.
create table rollout_snapshot (
    stream_id bigint not null,
    version bigint not null,
    fold int not null,
    "position" bigint not null,
    recorded_at timestamptz not null,
    state text not null,
    packed bytea not null,
    digest bytea not null check (octet_length(digest) = 32),
    primary key (stream_id, version) include (fold, "position", recorded_at)
);
alter table rollout_snapshot alter state set compression lz4;
alter table rollout_snapshot alter packed set compression lz4;
comment on column rollout_snapshot.fold is 'The version of the fold that made it; those of another one are ignored.';
comment on column rollout_snapshot.packed is 'Measurements and runs of earlier releases, in the form of that fold.';
comment on column rollout_snapshot.digest is 'SHA-256 of state and packed: what is damaged is not believed.';

reset role;
set local search_path = default;
