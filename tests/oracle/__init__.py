"""The rule of the product said a second time in plain Python. Nothing here imports the product."""
