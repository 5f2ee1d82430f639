"""The data that measurements are made on: a world of five agencies, drawn from a seed, and its way into a database."""
