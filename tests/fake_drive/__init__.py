"""A Google Drive v2 on this machine, for unmodified clients: a proxy with its own authority leads them here."""

from .drive import FakeDrive

__all__ = ["FakeDrive"]
