"""How much anybody may ask of the receiver: rates, counted in memory, and quotas, counted in the database."""

from server_stub.limits.buckets import Limits
from server_stub.limits.quotas import admit

__all__ = ["Limits", "admit"]
