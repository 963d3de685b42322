-- Proofs: the Merkle tree over the log, as tiles, and its signed heads.
--
-- The formats are described byte by byte in Sources/Transparency/FORMAT.md. One function writes, called by a sealer that
-- follows the log; the tables can be made anew from the log, except the signatures.

set local role rollbook_ledger;
set local search_path = ledger, pg_temp;

create table tile (
    level int not null check (level between 0 and 7),
    "index" bigint not null check ("index" >= 0),
    hashes bytea not null check (octet_length(hashes) = 8192),
    primary key (level, "index")
);
alter table tile alter hashes set storage external;  -- hashes do not compress
comment on table tile is 'Full tiles of the tree: 256 hashes of 32 bytes each, insert-only.';

create table tile_edge (
    level int primary key check (level between 0 and 7),
    hashes bytea not null check (octet_length(hashes) between 32 and 8160 and octet_length(hashes) % 32 = 0)
);
alter table tile_edge alter hashes set storage external;
comment on table tile_edge is 'The last tile of each level, which is not full yet.';

create table tree_head (
    size bigint primary key check (size > 0),
    root bytea not null check (octet_length(root) = 32),
    epoch int not null check (epoch > 0),
    signer text collate "C" not null check (signer <> ''),
    note text not null,
    signed_at timestamptz not null default clock_timestamp(),
    constraint note_has_size check (split_part(note, e'\n', 2) = size::text),
    constraint note_has_root check (split_part(note, e'\n', 3) = encode(root, 'base64'))
);
comment on table tree_head is 'What was signed: so many events have this root. Insert-only, and ever larger.';
comment on column tree_head.signer is 'The verifier key that the signature is to be checked with.';
comment on column tree_head.note is 'The signed note (C2SP checkpoint), as it is published.';

create table sealed (
    only_row boolean primary key default true check (only_row),
    size bigint not null check (size >= 0)
);
comment on table sealed is 'How many events the tiles cover: the sealer''s place.';
insert into sealed (size) values (0);

do $$
declare
    kept text;
begin
    foreach kept in array array['tile', 'tree_head'] loop
        execute format('create trigger append_only before update or delete or truncate on %I '
            'for each statement execute function refuse_change()', kept);
    end loop;
end $$;

-- A head says how the log begins, for ever; a second one of the same size, or a smaller one after a larger, is a fork.
create function refuse_fork() returns trigger language plpgsql as $$
declare
    v_size bigint := (select max(h.size) from ledger.tree_head h);
begin
    if new.size <= v_size then
        raise exception using
            errcode = 'integrity_constraint_violation',
            message = format('a tree head of %s events is refused: one of %s events was signed', new.size, v_size),
            hint = 'Heads are signed by one sealer at a time, each for a longer log than the last.';
    end if;
    return new;
end $$;
create trigger ever_larger before insert on tree_head for each row execute function refuse_fork();

create function seal(
    p_from bigint,              -- how many events the caller believes to be sealed
    p_to bigint,
    p_tile_level int[],         -- tiles that have become full
    p_tile_index bigint[],
    p_tile_hashes bytea[],
    p_edge_level int[],         -- the tiles that are not full, of all levels that have one
    p_edge_hashes bytea[],
    p_root bytea,
    p_epoch int,
    p_signer text,
    p_note text
) returns boolean
language plpgsql volatile security definer set search_path = ledger, pg_temp as $$
begin
    update sealed s set size = p_to where s.size = p_from;
    if not found then
        return false;
    end if;
    if p_to > (select b.last_position from append_batch b order by b.last_position desc limit 1) then
        raise exception 'ledger.seal(% to %): the log is not that long', p_from, p_to;
    end if;
    if exists (
        select
          from generate_series(0, 6) l(level)
         where (select count(*) from unnest(p_tile_level) t(level) where t.level = l.level)
               <> (p_to >> 8 * (l.level + 1)) - (p_from >> 8 * (l.level + 1)))
    or exists (
        select
          from generate_series(0, 7) l(level)
         where coalesce((
               select octet_length(e.hashes)
                 from unnest(p_edge_level, p_edge_hashes) e(level, hashes)
                where e.level = l.level), 0)
               <> 32 * (p_to >> 8 * l.level & 255)) then
        raise exception 'ledger.seal(% to %): the tiles are not those of a tree of that size', p_from, p_to;
    end if;
    insert into tile (level, "index", hashes)
    select t.level, t."index", t.hashes
      from unnest(p_tile_level, p_tile_index, p_tile_hashes) t(level, "index", hashes);
    insert into tile_edge as k (level, hashes)
    select e.level, e.hashes
      from unnest(p_edge_level, p_edge_hashes) e(level, hashes)
        on conflict (level) do update set hashes = excluded.hashes
     where k.hashes <> excluded.hashes;
    delete from tile_edge k where k.level <> all (p_edge_level);
    insert into tree_head (size, root, epoch, signer, note)
    values (p_to, p_root, p_epoch, p_signer, p_note);
    return true;
end $$;
comment on function seal is
    'Moves the sealer''s place from p_from to p_to, with the tiles and the signed head; false if it stands elsewhere.';

revoke all on function refuse_fork, seal from public;
grant select on tile, tile_edge, tree_head, sealed to rollbook_service;
grant execute on function seal to rollbook_service;

reset role;
set local search_path = default;
