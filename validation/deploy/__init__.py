"""While a deployment goes on, after each of its steps."""
