"""Tests of the doors: the HTTP app, the command line, the demonstration."""
