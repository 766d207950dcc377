"""What an earlier run of the same unit had counted, to tell what grows from what grew long ago."""

from agent.history.earlier import Earlier, interpret, of_view
from agent.history.search import gather

__all__ = ["Earlier", "gather", "interpret", "of_view"]
