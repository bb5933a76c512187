"""The language of workflows: templates, expressions, the static check, and what a run does next. No I/O."""
