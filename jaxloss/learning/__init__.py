"""How a loss is judged and improved: inner training, meta-gradients, filters, fitness."""
