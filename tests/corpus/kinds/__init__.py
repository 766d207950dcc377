"""What is expected of each kind of capture: one module per kind of the index, found by its presence.

A module has

``KIND``     the kind, as the index calls it
``GOAL``     a :class:`tests.corpus.evaluation.Goal`
``mark``     ``(row, document) -> Mark | None``: how right the diagnosis is, by the label or by another tool's word,
             never by our own interpretation; ``None`` for a file that is no input (another program's output)
"""
