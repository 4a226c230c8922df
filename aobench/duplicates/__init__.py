"""Near-duplicates inside a newly made image set, and its nearest neighbours in a corpus of
embeddings.

``step.run_distinct`` is the way in; ``decide`` says what is kept and why, ``report`` shows the
doubtful pairs.
"""
