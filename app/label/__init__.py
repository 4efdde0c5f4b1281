"""The command that labels pictures, its page, and a person's answers at the terminal."""
