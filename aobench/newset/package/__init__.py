"""The images that are left, as a dataset folder with its card."""
