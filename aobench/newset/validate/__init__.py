"""Whether an image shows what it was made for: judges ask, thresholds are calibrated, people
overrule.
"""
