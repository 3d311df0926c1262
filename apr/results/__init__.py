"""What is told of a run to programs and people outside: documents, reports, pages."""
