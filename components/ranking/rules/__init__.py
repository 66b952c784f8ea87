"""Rules on the final list: what is shown of what was ranked. Probabilities stay those of the model.

A rule picks and orders; it never invents an item, shows one twice, or brings back one that a filter took away. Every
rule works on many questions at once, on the best few hundred items of each. What rules cost is measured by the judge.
"""
