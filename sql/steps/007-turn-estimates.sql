-- version 5
alter table public.turns
  -- {input_tokens, output_tokens}: while the turn runs, what is reserved for it, since version 9 with
  -- {input_price, output_price} if known; once it is over, an estimate of the counts that its model did not
  -- report.
  add column if not exists estimate jsonb,
  add column if not exists subject text; -- while it runs: whose limits it counts in
