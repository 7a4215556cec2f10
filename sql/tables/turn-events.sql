-- The items of turns: events beside the text, such as tool calls and their results. Reasoning is kept until
-- its turn ends, the others as long as the turn. At most 1 MiB a turn (foreword.save_items).
create table if not exists public.turn_events (
  turn_id uuid not null,
  position integer not null, -- bytes of the plain-text body before it
  ordinal integer not null, -- units beside the text there, up to its end
  type text not null,
  data jsonb not null,
  bytes integer generated always as (octet_length(data::text)) stored,
  primary key (turn_id, position, ordinal)
);
