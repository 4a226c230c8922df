"""The controlled experiment in miniature: scale x diversity x supervision. Design:
docs/study_design.md, docs/study_design_2.md.
"""
