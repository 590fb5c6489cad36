"""PostgreSQL as Parley speaks to it: every statement acts for a tenant, in a role that cannot look past row-level security."""
