"""The Lambda functions: one folder per function (a thin handler), and `core`, which they share."""
