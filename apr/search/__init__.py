"""The tree search over patches, for any generator and evaluator."""
