"""The hardware tests: one module per exerciser. A module with a leading underscore is not a test."""
