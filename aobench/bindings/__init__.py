"""Whether the compositions of other people's benchmarks are novel: their texts and split files, cut
into attribute-object bindings and sorted by what an audit has seen.
"""
