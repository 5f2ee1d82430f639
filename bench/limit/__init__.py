"""The limit: what the same answers cost without GraphQL, sign-in, limits, log and audit."""
