"""The commands that say what of a data set to keep."""
