"""Who may sign in, and what each of them may see."""
