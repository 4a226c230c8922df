"""Which attribute-object compositions a corpus of captions shows, how often, and which it doesn't.

    from aobench.audit.api import audit
    result = audit(["captions-*.parquet"], out="audit")
    result.matrix("words")          # captions by composition, int64 (129, 1000)
    result.novel(threshold=0)       # compositions that no caption shows

`aobench.audit.rules` says what counts.
"""
