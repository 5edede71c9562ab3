"""Marks of tests that are about one of the two databases, and what both say of the same mistake.

Without a mark, a test that takes a `url` or a `store` runs on both.
"""

import pytest

on_sqlite = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("url", ["postgresql"], indirect=True)

THERE_ALREADY = "UNIQUE constraint failed|duplicate key value"
NOT_THERE = "FOREIGN KEY constraint failed|violates foreign key constraint"
EMPTY = "NOT NULL constraint failed|violates not-null constraint"
