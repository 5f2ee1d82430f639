from tortoise import migrations
from tortoise.migrations import operations as ops

from models.fields import InstantField


class Migration(migrations.Migration):
    dependencies = [("models", "0003_mailbox_passwords")]

    initial = False

    operations = [
        ops.AddField(
            model_name="SessionEnding",
            name="ended_at",
            field=InstantField(null=True, auto_now=False, auto_now_add=False),
        ),
    ]
