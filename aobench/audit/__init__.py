"""Which attribute-object compositions a corpus of captions shows, how often, and which it doesn't.

    import aobench
    result = aobench.audit(["captions-*.parquet"], out="audit")
    result.matrix("words")          # captions by composition, int64 (129, 1000)
    result.novel(threshold=0)       # compositions that no caption shows

`aobench.audit.rules` says what counts. The package itself can be called, like its function
`aobench.audit.api.audit`: once any of its files is imported, Python gives it the name
`aobench.audit`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aobench.audit.output import Audit


class CallablePackage(ModuleType):
    """This package, which can be called."""

    def __call__(self, *arguments: Any, **options: Any) -> Audit:
        """As `aobench.audit.api.audit`, which has the arguments and an example."""
        from aobench.audit.api import audit

        return audit(*arguments, **options)

    @property
    def __signature__(self) -> Any:
        """That of the function, for help and completion."""
        from inspect import signature

        from aobench.audit.api import audit

        return signature(audit)


sys.modules[__name__].__class__ = CallablePackage
