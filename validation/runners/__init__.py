"""Running a subject's tests in a sandbox and reading their outcomes."""
