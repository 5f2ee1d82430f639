"""Tests that drive the real thing from outside, through the command and the API."""
