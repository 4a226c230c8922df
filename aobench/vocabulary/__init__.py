"""Names: the published attributes and objects, their synonyms, and prompt templates."""
