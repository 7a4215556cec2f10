-- Turns that wait for their user, or did: until the turn ends or waits again.
create table if not exists public.turn_waits (
  turn_id uuid primary key,
  state jsonb not null, -- from which a server goes on
  expires_at timestamptz not null, -- infinity once the turn has been claimed
  subject text, -- whose limits it counts in
  claim uuid -- the call that claimed it, so that a repeated one gets the same result
);
