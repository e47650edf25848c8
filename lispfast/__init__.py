"""lispfast: a LISP mobile node (RFC 9300, RFC 9301) with a compiled fast path.

Importing the package loads nothing else; ARCHITECTURE.md says which room holds what.
"""

from lispfast._version import __version__

__all__ = ["__version__"]
