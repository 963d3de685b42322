-- Read models: what the log amounts to, row by row. Owned by the service's role, which may drop and rebuild them.

create schema views authorization rollbook_service;
set local role rollbook_service;
set local search_path = views, pg_temp;

create table audit_entry (
    "position" bigint primary key,
    recorded_at timestamptz not null,
    occurred_at timestamptz not null,
    stream text collate "C" not null,
    version bigint not null,
    type text collate "C" not null,
    subject text collate "C" not null,
    issuer text collate "C" not null,
    method text collate "C" not null,
    on_behalf_of text collate "C",
    event_id uuid not null,
    correlation uuid not null,
    causation uuid,
    summary text not null
);
create index audit_entry_stream on audit_entry (stream, "position");
create index audit_entry_correlation on audit_entry (correlation, "position");
create index audit_entry_subject on audit_entry (subject, "position");
comment on table audit_entry is 'One row for each event: who, when, why, and what in one line of words.';

create table rollout_summary (
    cluster text collate "C" not null,
    namespace text collate "C" not null,
    name text collate "C" not null,
    phase text collate "C" not null,
    message text not null,
    revision int,
    stable_hash text collate "C",
    images text not null,
    step_index int,
    set_weight int not null,
    actual_weight int not null,
    decision_version int not null,
    version bigint not null,
    "position" bigint not null,
    summary text not null,
    primary key (cluster, namespace, name)
);
comment on table rollout_summary is 'One row for each rollout, as of the event at its position; images and summary are JSON.';

create table release (
    release_id uuid primary key,
    cluster text collate "C" not null,
    namespace text collate "C" not null,
    rollout text collate "C" not null,
    revision int not null,
    pod_template_hash text collate "C" not null,
    trigger text collate "C" not null,
    started_at timestamptz not null,
    started_position bigint not null,
    outcome text collate "C" not null,
    ended_at timestamptz,
    ended_position bigint,
    reason text,
    summary text not null
);
create index release_rollout on release (cluster, namespace, rollout, started_position);
comment on table release is 'One row for each release, from its start to its end; summary is JSON.';

reset role;
set local search_path = default;
