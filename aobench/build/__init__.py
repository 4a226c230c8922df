"""A new set of compositions that a given training corpus doesn't show: from caption counts to a packaged dataset.

    imagenet-ao build set.yaml

Five steps, each with its own folder, manifest and resume: `compose`, `generate`, `validate`, `distinct`, `package`.
"""
