"""Near-duplicates inside an image set, and its nearest neighbours in a corpus of embeddings.

    imagenet-ao duplicates PICTURES/ --out duplicates

`comparison.find_duplicates` is the way in; ``decide`` says what stays, ``reasons`` why the others
don't, ``page`` shows the doubtful pairs.
"""
