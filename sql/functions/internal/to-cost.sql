-- Returns the cost of tokens at most, or null if their prices are unknown.
-- @param p_tokens {input_tokens, output_tokens}
-- @param p_prices {input_price, output_price}: of a million tokens
create or replace function foreword.to_cost(p_tokens jsonb, p_prices jsonb) returns numeric
language plpgsql immutable set search_path = '' as $$
begin
  return (coalesce((p_tokens ->> 'input_tokens')::numeric, 0) * (p_prices ->> 'input_price')::numeric
    + coalesce((p_tokens ->> 'output_tokens')::numeric, 0) * (p_prices ->> 'output_price')::numeric) * 0.000001;
end $$;
