"""Equations of recurrent cells in, their blocks, products and derivatives out; and the cells."""
