"""Practice: a customer played from a scenario, a trainee who answers, a report of their own."""
