"""What a field does: plain functions of a request and its arguments, one module a subject."""
