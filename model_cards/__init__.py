"""Templates of model cards; beside them the cards of evaluated models."""
