"""Finds the lines of a project that resemble some code."""

from apr.generation.retrieval.lines import LineIndex, Place, index_lines
from apr.generation.retrieval.measures import Bm25, Measure, TfIdf
from apr.source.words import words_of

__all__ = ["Bm25", "LineIndex", "Measure", "Place", "TfIdf", "index_lines", "words_of"]
