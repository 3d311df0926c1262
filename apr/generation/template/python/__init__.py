"""Python's fix templates; each module is one family and registers its templates on import."""
