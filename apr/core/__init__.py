"""The shared vocabulary: frozen dataclasses and Protocols, standard library only, no I/O."""
