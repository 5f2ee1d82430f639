"""What clients see: types, inputs, payloads and errors by subject, and who may read which field."""

from schema.root import schema

__all__ = ["schema"]
