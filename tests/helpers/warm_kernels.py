"""Imported once, before programs are forked: the audit's compiled code, loaded; it starts no
thread.
"""

from aobench.audit.counter import CountingPlan
from aobench.audit.rules import VERSIONS
from aobench.audit.scan import CounterPool
from aobench.audit.vocabulary import make_vocabulary

vocabulary = make_vocabulary(("striped",), ("banana",))
CounterPool(CountingPlan(vocabulary, tuple(VERSIONS)), 1)
