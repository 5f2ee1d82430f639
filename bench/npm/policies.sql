-- Row-level security for PostGraphile: the rule as a filter on every row, and an index in the order in which it reads.
-- Who asks stands in settings of the transaction. What is only reached from a visible entry is not filtered again.

CREATE INDEX rival_activities ON activities (agency_id, occurred_at DESC, id DESC);

CREATE FUNCTION rival_viewers() RETURNS TABLE (id uuid, agency_id uuid, activity_read_level text, agents_log_read_level text)
LANGUAGE sql STABLE SECURITY DEFINER AS $$ SELECT id, agency_id, activity_read_level, agents_log_read_level FROM users $$;

CREATE FUNCTION mailboxes_assigned_users(m mailboxes) RETURNS SETOF users LANGUAGE sql STABLE AS $$
    SELECT u.* FROM assignments s JOIN users u ON u.id = s.user_id WHERE s.mailbox_id = m.id AND s.until IS NULL AND (
        (SELECT role FROM users WHERE id = current_setting('bench.viewer')::uuid) = 'ADMINISTRATOR' OR EXISTS (
            SELECT FROM assignments w WHERE w.mailbox_id = m.id AND w.until IS NULL AND w.user_id = current_setting('bench.viewer')::uuid))
    ORDER BY u.fold_name, u.login
$$;

GRANT USAGE ON SCHEMA public TO rival;
GRANT SELECT ON mails, bookings, activities, mailboxes, users, assignments, office_group_members TO rival;

ALTER TABLE mails ENABLE ROW LEVEL SECURITY;
ALTER TABLE bookings ENABLE ROW LEVEL SECURITY;
ALTER TABLE activities ENABLE ROW LEVEL SECURITY;
ALTER TABLE mailboxes ENABLE ROW LEVEL SECURITY;
ALTER TABLE users ENABLE ROW LEVEL SECURITY;

CREATE POLICY agency ON mails FOR SELECT TO rival USING (agency_id = current_setting('bench.agency')::uuid);
CREATE POLICY agency ON bookings FOR SELECT TO rival USING (agency_id = current_setting('bench.agency')::uuid);
CREATE POLICY agency ON mailboxes FOR SELECT TO rival USING (agency_id = current_setting('bench.agency')::uuid);
CREATE POLICY agency ON users FOR SELECT TO rival USING (agency_id = current_setting('bench.agency')::uuid);
CREATE POLICY rule ON activities FOR SELECT TO rival USING (
    agency_id = current_setting('bench.agency')::uuid AND CASE
        WHEN NOT guarded AND current_setting(CASE kind WHEN 'ACTIVITY' THEN 'bench.activity_level' ELSE 'bench.agents_log_level' END) = 'ALL'
        THEN true
        WHEN NOT guarded AND current_setting(CASE kind WHEN 'ACTIVITY' THEN 'bench.activity_level' ELSE 'bench.agents_log_level' END) = 'NOTHING'
        THEN false
        ELSE EXISTS (
            SELECT FROM bookings b JOIN assignments s ON s.mailbox_id = b.mailbox_id
            AND s.since <= b.decisive_at AND (s.until IS NULL OR b.decisive_at < s.until)
            WHERE b.mail_id = activities.mail_id AND (s.user_id = current_setting('bench.viewer')::uuid OR (NOT guarded
                AND current_setting(CASE kind WHEN 'ACTIVITY' THEN 'bench.activity_level' ELSE 'bench.agents_log_level' END) = 'OFFICE_GROUP'
                AND s.user_id IN (SELECT y.user_id FROM office_group_members x JOIN office_group_members y ON y.group_id = x.group_id
                    WHERE x.user_id = current_setting('bench.viewer')::uuid))))
    END);
