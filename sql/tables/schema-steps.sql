-- The steps that were run, for each table they change: the tables may have other names, or be created again.
create table if not exists foreword.schema_steps (
  step integer not null,
  on_table regclass not null,
  version integer not null, -- of the schema that the step came with
  applied_at timestamptz not null default now(),
  primary key (step, on_table)
);
