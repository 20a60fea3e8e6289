"""What the rebuilt studies share: results as files, verdicts, running parts, drawing."""
