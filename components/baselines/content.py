"""Items by what is known of them: category, tags and words of title and text against the history's profile.

Each part is a row of length 1 (words and tags by TF-IDF, words hashed) times the root of its weight, so that the
cosine of two items is the weighted mean of their parts' cosines. An item that training never saw is as good as any
other that has a code. Never here: what others did, but popularity.

References: Salton and Buckley, 1988 (TF-IDF); Weinberger et al., ICML 2009 (hashing).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_array, hstack

from components.baselines.sparse import histories, read_sparse, scaled_rows, sparse_state, unit_rows
from components.baselines.vectors import VectorBaseline, VectorOptions
from components.errors import IntegrityError
from components.features.encoding import UNKNOWN, Catalogue
from components.memory.ask import Ask, Floats
from components.memory.counter import checked
from components.predictor import Window


class ContentOptions(VectorOptions):
    """category, tags, words: weights of the parts; hash_bits: words are hashed to 2^hash_bits columns."""

    category: float = Field(ge=0)
    tags: float = Field(ge=0)
    words: float = Field(ge=0)
    hash_bits: int = Field(ge=4, le=24)


class Content(VectorBaseline[ContentOptions]):
    """See the module."""

    kind = "content"
    options_type = ContentOptions

    def begin(self, train: Window, tune: Window) -> None:
        catalogue, wanted = train.store.encoding.catalogue, self.options
        words = [f"{title} {text}" for title, text in zip(catalogue.title, catalogue.text, strict=True)]
        tags = [str(one).split("\n") if one else [] for one in catalogue.tags]
        parts = [
            (wanted.category, categories(catalogue)),
            (wanted.tags, tf_idf(hashed(tags, wanted.hash_bits))),
            (wanted.words, tf_idf(hashed_words(words, wanted.hash_bits))),
        ]
        kept = [scaled_rows(one, np.full(one.shape[0], np.sqrt(weight))) for weight, one in parts if one.nnz]
        size = train.store.encoding.n_items
        self.items = unit_rows(csr_array(hstack(kept, format="csr"))) if kept else csr_array((size, 1))  # (V, F)

    def weigh(self, ask: Ask) -> NDArray[np.float32]:
        profile = unit_rows(csr_array(histories(ask, self.decayed(ask), self.n_items) @ self.items))
        weight = self.weight_of((profile @ self.items.T).toarray())
        weight[np.diff(profile.indptr) == 0] = 0.0  # nothing is known of what was met
        return weight

    def state(self) -> dict[str, NDArray]:
        width = np.array([float(self.items.shape[1])])
        return {**super().state(), "width": width, **sparse_state("items", self.items)}

    def restore(self, arrays: Mapping[str, NDArray], where: str) -> None:
        super().restore(arrays, where)
        self.items = read_sparse(arrays, "items", int(checked(arrays["width"], (1,), where)[0]), where)
        if self.items.shape[0] != self.n_items:
            raise IntegrityError(
                f"vectors of {self.n_items} items", found=f"{self.items.shape[0]} in {where}", do="Train again."
            )


def categories(catalogue: Catalogue) -> csr_array:
    """(V, categories) 1 at the category of each item that has one."""
    code = np.asarray(catalogue.category, np.int64)
    item = np.flatnonzero(code > UNKNOWN)
    return csr_array((np.ones(len(item)), (item, code[item])), shape=(len(code), int(code.max(initial=1)) + 1))


def hashed(terms: Sequence[Sequence[str]], bits: int) -> csr_array:
    """(V, 2^bits) counts of terms, hashed without signs."""
    from sklearn.feature_extraction import FeatureHasher  # scikit-learn takes a second

    hasher = FeatureHasher(n_features=2**bits, input_type="string", alternate_sign=False)
    return csr_array(hasher.transform(terms))


def hashed_words(texts: Sequence[str], bits: int) -> csr_array:
    """(V, 2^bits) counts of the words of two letters and more, without case and accents, hashed without signs."""
    from sklearn.feature_extraction.text import HashingVectorizer  # scikit-learn takes a second

    reader = HashingVectorizer(n_features=2**bits, alternate_sign=False, norm=None, strip_accents="unicode")
    return csr_array(reader.transform(texts))


def tf_idf(count: csr_array) -> csr_array:
    """Rows of (1 + log count) × log((1 + items) / (1 + items with the term)), of length 1."""
    held = np.bincount(count.indices, minlength=count.shape[1])
    idf: Floats = np.log((1 + count.shape[0]) / (1 + held))
    value = (1 + np.log(count.data)) * idf[count.indices]
    return unit_rows(csr_array((value, count.indices, count.indptr), shape=count.shape))
