"""A user's names hold no control character. PostgreSQL relies on that where it writes them as JSON (`models.json_text`)."""

from tortoise import migrations

from models.migration_steps import DialectSQL

NAMES = ("first_name", "last_name")
CHECK = " AND ".join(rf"{name} !~ '[\u0001-\u001f]'" for name in NAMES)
POSTGRESQL = f"ALTER TABLE users ADD CONSTRAINT users_names_on_a_line CHECK ({CHECK});"
CONTROL = "'*[' || char(1) || '-' || char(31) || ']*'"
HOLDS = " OR ".join(f"NEW.{name} GLOB {CONTROL}" for name in NAMES)
SQLITE = "\n".join(
    f"CREATE TRIGGER users_names_{which} BEFORE {event} ON users WHEN {HOLDS} "
    "BEGIN SELECT RAISE(ABORT, 'constraint failed: users_names_on_a_line'); END;"
    for which, event in (("stored", "INSERT"), ("changed", f"UPDATE OF {', '.join(NAMES)}"))
)


class Migration(migrations.Migration):
    dependencies = [("models", "0010_credential_deliveries")]

    initial = False

    operations = [DialectSQL(postgresql=POSTGRESQL, sqlite=SQLITE)]
