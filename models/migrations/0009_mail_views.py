"""What the mail servers read: views that are a stable interface, whatever becomes of the tables.

- `mail_passwords`: a mailbox's hash in Dovecot's words, and the login under which it sends: for Dovecot.
- `mail_accounts`: every mailbox, and whether it takes in mail at this moment: for both.
- `mail_domains`: the domains: for Postfix.
- `mail_logins`: who may send as an address: the login of its current password alone, so that what was opened with an
  older one sends no more: for Postfix.

None of them has a sealed token, and only the first a hash.
"""

from tortoise import migrations

from models.migration_steps import DialectSQL


def _views(now: str) -> str:
    return f"""
CREATE VIEW mail_passwords AS
SELECT m.address AS address, m.address || '-v' || p.version AS login, '{{ARGON2ID}}' || p.hash AS password
FROM mailboxes m JOIN mailbox_passwords p ON p.mailbox_id = m.id;

CREATE VIEW mail_accounts AS
SELECT m.address AS address, (m.active OR m.receiving_stops_at IS NULL OR m.receiving_stops_at > {now}) AS receives
FROM mailboxes m;

CREATE VIEW mail_domains AS
SELECT d.name AS name FROM domains d;

CREATE VIEW mail_logins AS
SELECT m.address || '-v' || p.version AS login, m.address AS address
FROM mailboxes m JOIN mailbox_passwords p ON p.mailbox_id = m.id;
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0008_mail_senders")]

    initial = False

    operations = [
        DialectSQL(
            postgresql=_views("clock_timestamp()"),
            sqlite=_views("strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"),
        )
    ]
