"""What leaves: letters, the outbox, the documents that set up a mail program, and the mail servers' ports."""
