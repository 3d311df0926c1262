"""Who proposes patches."""
