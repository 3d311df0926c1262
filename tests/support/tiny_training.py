"""Sizes of the tiny model that the tests train."""

from apr.training.batches import Room
from apr.training.t5 import Shape

LINE_END = 150
SHAPE = Shape(200, width=32, heads=2, head_width=16, inner=48, encoder_layers=2, decoder_layers=2)
ROOM = Room(rows=4, source=128, target=48)
