"""What the server costs: each module measures one thing and prints it."""
