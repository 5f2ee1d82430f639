"""What is stored, and the rule that says who may see it."""
