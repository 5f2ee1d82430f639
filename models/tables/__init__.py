"""What is stored, as Tortoise models.

Three things hold everywhere. Identifiers are random, so that they tell nothing about how many others there
are. Whatever belongs to an agency carries its `agency_id`, and the database refuses a row that refers to
another agency's. Instants are UTC to the microsecond.

Columns named `fold_…` hold what `models.folding` made of the text beside them, for order and search alike on
both databases. What no model can say (exclusion of overlapping periods, partial indexes, triggers) stands in
the migrations.
"""

from models.tables import agencies, audit, letters, mailboxes, mails, sessions, users

MODULES = (agencies, audit, letters, mailboxes, mails, sessions, users)
"""Where Tortoise finds them; `migrations/tortoise.json` says the same."""
