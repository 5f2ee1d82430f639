"""How an operation runs: what is counted before it costs anything, and what is kept. Speaks GraphQL and nothing of mail."""
