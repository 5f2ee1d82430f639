"""The measurements: that they measure right answers."""
