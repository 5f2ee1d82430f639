"""Whether the schema keeps the contract with clients, and says what every part of it means."""
