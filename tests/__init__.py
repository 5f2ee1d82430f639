"""The test suite of Postfach: rooms mirror the packages, `system/` drives the product from outside."""
