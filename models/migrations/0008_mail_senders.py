"""Who sends by which login, for the filter of outgoing mail: the view that its role reads, and nothing else.

A row for each user assigned now, one without a user where nobody is. A login is an address bound to the version of its
password, so it is none any more when the password is replaced.
"""

from tortoise import migrations

from models.migration_steps import DialectSQL

VIEW = """
CREATE VIEW mail_senders AS
SELECT m.address || '-v' || p.version AS login, m.address AS address, m.email_name AS name,
    a.user_id AS user_id, u.email_name AS user_name
FROM mailboxes m
JOIN mailbox_passwords p ON p.mailbox_id = m.id
LEFT JOIN assignments a ON a.mailbox_id = m.id AND a.until IS NULL
LEFT JOIN users u ON u.id = a.user_id;
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0007_audit_chain")]

    initial = False

    operations = [DialectSQL(postgresql=VIEW, sqlite=VIEW)]
