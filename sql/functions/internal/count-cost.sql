-- Adds to the cost that counts in the budget of an API key.
-- @param p_cost may be negative, for a reservation that was not used up
create or replace function foreword.count_cost(p_key_name text, p_day date, p_cost numeric) returns void
language plpgsql set search_path = '' as $$
begin
  insert into public.daily_costs as c (subject, day, cost)
    values (format('key %s', p_key_name), p_day, coalesce(p_cost, 0))
    on conflict (subject, day) do update set cost = c.cost + excluded.cost;
end $$;
