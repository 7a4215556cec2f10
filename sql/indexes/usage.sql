create unique index daily_usage_idx on public.daily_usage (user_id, day, model) nulls not distinct;

create index request_counts_age_idx on public.request_counts (started_at);
