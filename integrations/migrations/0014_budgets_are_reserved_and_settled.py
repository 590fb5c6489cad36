"""Budgets are reserved and settled by functions, in one statement each; their rows point within their organization.

Every function locks the counters that it touches in the order of their budgets, and only then the holds in them: no two of them wait
for each other. What renews holds passes over locked ones and so waits for nobody.
"""

from django.db import migrations

POINTERS = ["budget_periods", "budget_holds"]

RELEASE_LAPSED = """
CREATE FUNCTION budgets_release_lapsed(p_organization uuid, p_budget uuid, p_starts timestamptz) RETURNS integer
LANGUAGE plpgsql AS $$
-- Locks the counter and gives back what silent processes had reserved in it. What their calls cost nobody knows until they say.
DECLARE
  v_amount numeric;
  v_count integer;
BEGIN
  PERFORM FROM budget_periods p
    WHERE p.organization_id = p_organization AND p.budget_id = p_budget AND p.starts_at = p_starts FOR UPDATE;
  WITH lapsed AS (
    UPDATE budget_holds h SET released_at = clock_timestamp()
     WHERE h.organization_id = p_organization AND h.budget_id = p_budget AND h.starts_at = p_starts
       AND h.released_at IS NULL AND h.expires_at < clock_timestamp()
    RETURNING h.amount
  )
  SELECT coalesce(sum(amount), 0), count(*) INTO v_amount, v_count FROM lapsed;
  IF v_count > 0 THEN
    UPDATE budget_periods p SET reserved = p.reserved - v_amount, unknown = p.unknown + v_count, calls = p.calls + v_count
     WHERE p.organization_id = p_organization AND p.budget_id = p_budget AND p.starts_at = p_starts;
  END IF;
  RETURN v_count;
END $$
"""

RESERVE = """
CREATE FUNCTION budgets_reserve(
  p_organization uuid, p_hold uuid, p_budgets uuid[], p_estimate numeric, p_now timestamptz, p_lease interval
) RETURNS TABLE (budget uuid, starts timestamptz, cap numeric, used numeric, held numeric, refusal text)
LANGUAGE plpgsql AS $$
-- Reserves the estimate in all of these budgets, or in none: then `refusal` says of which and why, `spent` or `unknown`. An estimate of
-- NULL (the price is unknown) reserves nothing, and is refused where nothing is left, or the budget says so.
DECLARE
  v_budget record;
  v_counter record;
  v_again boolean := EXISTS (SELECT FROM budget_holds h WHERE h.organization_id = p_organization AND h.hold = p_hold);
  v_refused boolean := false;
  v_ids uuid[] := '{}';
  v_starts timestamptz[] := '{}';
BEGIN
  FOR v_budget IN
    SELECT b.id, b.amount, b.refuse_unknown, date_trunc(b.period, p_now AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS starts_at
      FROM budgets b WHERE b.organization_id = p_organization AND b.id = ANY (p_budgets) AND b.is_active ORDER BY b.id
  LOOP
    IF NOT EXISTS (SELECT FROM budget_periods p WHERE p.organization_id = p_organization
                      AND p.budget_id = v_budget.id AND p.starts_at = v_budget.starts_at) THEN
      INSERT INTO budget_periods (organization_id, budget_id, starts_at, spent, estimated, reserved, calls, unknown)
      VALUES (p_organization, v_budget.id, v_budget.starts_at, 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING;
    END IF;
    PERFORM budgets_release_lapsed(p_organization, v_budget.id, v_budget.starts_at);
    SELECT p.spent, p.reserved INTO v_counter FROM budget_periods p
     WHERE p.organization_id = p_organization AND p.budget_id = v_budget.id AND p.starts_at = v_budget.starts_at;
    budget := v_budget.id;
    starts := v_budget.starts_at;
    cap := v_budget.amount;
    used := v_counter.spent;
    held := v_counter.reserved;
    refusal := CASE
      WHEN v_again THEN NULL
      WHEN p_estimate IS NULL AND v_budget.refuse_unknown THEN 'unknown'
      WHEN p_estimate IS NULL AND used + held >= cap THEN 'spent'
      WHEN used + held + p_estimate > cap THEN 'spent'
    END;
    v_refused := v_refused OR refusal IS NOT NULL;
    v_ids := v_ids || v_budget.id;
    v_starts := v_starts || v_budget.starts_at;
    RETURN NEXT;
  END LOOP;
  IF v_refused OR v_again THEN
    RETURN;
  END IF;
  IF p_estimate > 0 THEN
    UPDATE budget_periods p SET reserved = p.reserved + p_estimate
      FROM unnest(v_ids, v_starts) AS wanted (id, starts_at)
     WHERE p.organization_id = p_organization AND p.budget_id = wanted.id AND p.starts_at = wanted.starts_at;
  END IF;
  INSERT INTO budget_holds (organization_id, budget_id, hold, starts_at, amount, expires_at)
  SELECT p_organization, wanted.id, p_hold, wanted.starts_at, coalesce(p_estimate, 0), clock_timestamp() + p_lease
    FROM unnest(v_ids, v_starts) AS wanted (id, starts_at);
END $$
"""

SETTLE = """
CREATE FUNCTION budgets_settle(
  p_organization uuid, p_hold uuid, p_cost numeric, p_is_estimate boolean, p_was_made boolean, p_now timestamptz
) RETURNS TABLE (budget uuid, starts timestamptz, cap numeric, used numeric, held numeric, is_new_warning boolean)
LANGUAGE plpgsql AS $$
-- Gives back what the hold had reserved and adds what its call cost (NULL: nobody knows; not made: nothing). Done twice it is done once.
DECLARE
  v_hold record;
  v_gone record;
  v_budget record;
BEGIN
  FOR v_hold IN
    SELECT h.budget_id, h.starts_at FROM budget_holds h WHERE h.organization_id = p_organization AND h.hold = p_hold ORDER BY h.budget_id
  LOOP
    PERFORM FROM budget_periods p
      WHERE p.organization_id = p_organization AND p.budget_id = v_hold.budget_id AND p.starts_at = v_hold.starts_at FOR UPDATE;
    DELETE FROM budget_holds h WHERE h.organization_id = p_organization AND h.hold = p_hold AND h.budget_id = v_hold.budget_id
      RETURNING h.amount, h.released_at IS NOT NULL AS lapsed INTO v_gone;
    CONTINUE WHEN NOT FOUND;
    SELECT b.amount, b.warn_percent INTO v_budget FROM budgets b WHERE b.organization_id = p_organization AND b.id = v_hold.budget_id;
    UPDATE budget_periods p SET
      reserved = p.reserved - CASE WHEN v_gone.lapsed THEN 0 ELSE v_gone.amount END,
      spent = p.spent + coalesce(p_cost, 0),
      estimated = p.estimated + CASE WHEN p_is_estimate THEN coalesce(p_cost, 0) ELSE 0 END,
      calls = p.calls + p_was_made::integer - v_gone.lapsed::integer,
      unknown = p.unknown + (p_was_made AND p_cost IS NULL)::integer - v_gone.lapsed::integer
     WHERE p.organization_id = p_organization AND p.budget_id = v_hold.budget_id AND p.starts_at = v_hold.starts_at
    RETURNING p.spent, p.reserved, p.warned_at IS NULL AND p.spent * 100 >= v_budget.amount * v_budget.warn_percent
      INTO used, held, is_new_warning;
    IF is_new_warning THEN
      UPDATE budget_periods p SET warned_at = p_now
       WHERE p.organization_id = p_organization AND p.budget_id = v_hold.budget_id AND p.starts_at = v_hold.starts_at;
    END IF;
    budget := v_hold.budget_id;
    starts := v_hold.starts_at;
    cap := v_budget.amount;
    RETURN NEXT;
  END LOOP;
END $$
"""

ARGUMENTS = {
    "budgets_release_lapsed": "uuid, uuid, timestamptz",
    "budgets_reserve": "uuid, uuid, uuid[], numeric, timestamptz, interval",
    "budgets_settle": "uuid, uuid, numeric, boolean, boolean, timestamptz",
}


def function(sql, name):
    return migrations.RunSQL(sql, f"DROP FUNCTION {name}({ARGUMENTS[name]})")


def pointer(table):
    name = f"fk_{table}_budget_same_organization"
    return migrations.RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (organization_id, budget_id)"
        " REFERENCES budgets (organization_id, id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED",
        f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )


class Migration(migrations.Migration):
    dependencies = [("integrations", "0013_budgets")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE budgets ADD CONSTRAINT uq_budgets_organization_id UNIQUE (organization_id, id)",
            "ALTER TABLE budgets DROP CONSTRAINT uq_budgets_organization_id",
        ),
        *map(pointer, POINTERS),
        function(RELEASE_LAPSED, "budgets_release_lapsed"),
        function(RESERVE, "budgets_reserve"),
        function(SETTLE, "budgets_settle"),
    ]
