"""A new set of compositions that a given training corpus doesn't show.

    imagenet-ao build set.yaml

`compose` picks compositions by caption counts, `generate` makes their images, `validate` has them
judged, `distinct` finds near-duplicates, `package` writes the dataset; each has its own folder,
manifest and resume. `annotation` lets people judge the images.
"""
