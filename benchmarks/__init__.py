"""What is measured about speed; `python -m benchmarks` runs it, README.md says what each figure means."""
