"""How well a value tells two kinds of pictures apart."""

from __future__ import annotations

import numpy as np
from scipy import stats


def auc(higher: np.ndarray, lower: np.ndarray) -> float:
    """How often one of the first is above one of the second, (N,) and (M,); ties count half."""
    return float(stats.mannwhitneyu(higher, lower).statistic / len(higher) / len(lower))
