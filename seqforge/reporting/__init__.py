"""The page that a run leaves behind: what was read, how good the model is, what it draws."""
