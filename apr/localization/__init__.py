"""Where the fault may be: suspiciousness of statements from coverage, traces and names."""
