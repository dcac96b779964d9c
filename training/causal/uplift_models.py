"""Uplift models: T-learner of two logistic regressions and DR-learner on LightGBM, cross-fitted.

The uplift of a customer is the expected outcome if contacted minus the expected outcome if not, given what
was known on the day of assignment (the conditional average treatment effect). Two learners estimate it:

- **T-learner**: one regression for each arm on standardised features, logistic for outcomes of 0 and 1,
  linear for amounts; the uplift is the difference of their predictions. Künzel, Sekhon, Bickel & Yu (2019),
  Metalearners for estimating heterogeneous treatment effects using machine learning, PNAS 116, 4156–4165.
- **DR-learner**: small trees fitted to the doubly robust pseudo-outcome m₁(x) − m₀(x) + T (Y − m₁(x)) / p −
  (1 − T) (Y − m₀(x)) / (1 − p), with the known probability of treatment p and cross-fitted outcome models m.
  Kennedy (2023), Towards optimal doubly robust estimation of heterogeneous causal effects, Electronic Journal
  of Statistics 17, 3008–3049.

The estimate in use is the mean of both: one default for every campaign and outcome. Every score that is
judged was predicted for a customer whose fold the models had not seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import lightgbm

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

PENALTY = 1.0
"""The ridge of the regressions, on standardised columns."""


@dataclass(frozen=True)
class UpliftParameters:
    """How uplift models are cross-fitted and how their trees are grown."""

    folds: int = 5
    rounds: int = 2
    """How often the folds are drawn anew; the scores are averaged."""
    nuisance_folds: int = 3
    trees: int = 60
    rate: float = 0.05
    depth: int = 2
    ridge: float = 200.0
    row_share: float = 0.8
    feature_share: float = 0.5
    bins: int = 63
    seed: int = 0
    threads: int = 1

    def for_lightgbm(self, rows: int) -> dict[str, str | int | float | bool]:
        """LightGBM's parameters: small, strongly regularised trees; the same rows give the same trees."""
        return {
            "objective": "regression",
            "learning_rate": self.rate,
            "num_leaves": 2**self.depth,
            "max_depth": self.depth,
            "min_data_in_leaf": max(rows // 50, 20),
            "lambda_l2": self.ridge,
            "feature_fraction": self.feature_share,
            "bagging_fraction": self.row_share,
            "bagging_freq": 1,
            "max_bin": self.bins,
            "seed": self.seed,
            "num_threads": self.threads,
            "deterministic": True,
            "force_col_wise": True,
            "verbosity": -1,
        }


@dataclass(frozen=True)
class OutcomeRegression:
    """The regression of one arm: logistic for outcomes of 0 and 1, linear for amounts."""

    centre: Floats
    spread: Floats
    weights: Floats
    """float64[m]: of each standardised column."""
    missing: Floats
    """float64[m]: added where the column is missing."""
    level: float
    logistic: bool

    def predict(self, matrix: Floats) -> Floats:
        """float64[n]: the expected outcome of each row."""
        gone = np.isnan(matrix)
        columns = np.where(gone, 0.0, (matrix - self.centre) / self.spread)
        # Column by column: a product of matrices rounds a row differently in another number of rows.
        margin = np.full(len(matrix), self.level)
        for place in range(matrix.shape[1]):
            margin += columns[:, place] * self.weights[place] + gone[:, place] * self.missing[place]
        return 1.0 / (1.0 + np.exp(-margin)) if self.logistic else margin


def fit_arm(matrix: Floats, outcome: Floats) -> OutcomeRegression:
    """The regression of the outcome on standardised columns; its mean where all outcomes are alike."""
    from sklearn.linear_model import LogisticRegression, Ridge

    columns = matrix.shape[1]
    gone = np.isnan(matrix)
    known = np.maximum((~gone).sum(axis=0), 1)
    centre = np.where(gone, 0.0, matrix).sum(axis=0) / known
    spread = np.sqrt(np.where(gone, 0.0, (matrix - centre) ** 2).sum(axis=0) / known)
    varying = spread > 1e-12 * np.maximum(np.abs(centre), 1.0)
    spread = np.where(varying, spread, 1.0)
    standardised = np.where(gone | ~varying, 0.0, (matrix - centre) / spread)
    design = np.hstack([standardised, gone])
    logistic = is_binary(outcome)
    if outcome.min() == outcome.max():
        nothing = np.zeros(columns)
        return OutcomeRegression(centre, spread, nothing, nothing, float(outcome[0]), logistic=False)
    if logistic:
        model = LogisticRegression(C=1.0 / PENALTY, solver="newton-cholesky", max_iter=100).fit(
            design, outcome
        )
    else:
        model = Ridge(alpha=PENALTY).fit(design, outcome)
    weights = np.ravel(model.coef_).astype(np.float64)
    level = float(np.ravel(model.intercept_)[0])
    return OutcomeRegression(
        centre, spread, np.where(varying, weights[:columns], 0.0), weights[columns:], level, logistic
    )


def is_binary(outcome: Floats) -> bool:
    """Whether outcomes are 0 and 1 only: a rate, not an amount."""
    return bool(np.isin(outcome, (0.0, 1.0)).all())


@dataclass(frozen=True, eq=False)
class UpliftModel:
    """Both learners, fitted; the uplift is the mean of their predictions."""

    treatment: OutcomeRegression
    control: OutcomeRegression
    trees: lightgbm.Booster

    def predict(self, matrix: Floats) -> Floats:
        """float64[n]: the uplift of each row, in units of the outcome."""
        return (self.t_learner(matrix) + self.dr_learner(matrix)) / 2

    def t_learner(self, matrix: Floats) -> Floats:
        """float64[n]: the difference of the two regressions."""
        return self.treatment.predict(matrix) - self.control.predict(matrix)

    def dr_learner(self, matrix: Floats) -> Floats:
        """float64[n]: the trees fitted to the pseudo-outcome."""
        predicted: Floats = self.trees.predict(matrix)
        return predicted


def fit_uplift(
    matrix: Floats, treated: Flags, outcome: Floats, probability: Floats, parameters: UpliftParameters
) -> UpliftModel:
    """Fit both learners to float64[n, m] features, bool[n] arms, float64[n] outcomes and assignment
    probabilities.
    """
    pseudo = pseudo_outcomes(matrix, treated, outcome, probability, parameters)
    return UpliftModel(
        treatment=fit_arm(matrix[treated], outcome[treated]),
        control=fit_arm(matrix[~treated], outcome[~treated]),
        trees=_grow(matrix, pseudo, parameters),
    )


def pseudo_outcomes(
    matrix: Floats, treated: Flags, outcome: Floats, probability: Floats, parameters: UpliftParameters
) -> Floats:
    """float64[n]: the doubly robust pseudo-outcome, whose mean given the features is the uplift."""
    fold = stratified_folds(treated, outcome, parameters.nuisance_folds, parameters.seed)
    with_contact, without = np.empty(len(outcome)), np.empty(len(outcome))
    for held in range(parameters.nuisance_folds):
        here = fold == held
        for arm, predicted in ((treated, with_contact), (~treated, without)):
            rows = arm & ~here
            predicted[here] = fit_arm(matrix[rows], outcome[rows]).predict(matrix[here])
    residual = np.where(
        treated, (outcome - with_contact) / probability, -(outcome - without) / (1.0 - probability)
    )
    pseudo: Floats = with_contact - without + residual
    return pseudo


@dataclass(frozen=True)
class CrossFittedScores:
    """Scores of n customers, each predicted by models that had not seen the customer."""

    uplift: Floats
    t_learner: Floats
    dr_learner: Floats
    response: Floats
    """The plain response model: the expected outcome of a contacted customer."""


def cross_fit(
    matrix: Floats,
    treated: Flags,
    outcome: Floats,
    probability: Floats,
    parameters: UpliftParameters | None = None,
) -> CrossFittedScores:
    """Out-of-fold uplift and response of every customer, averaged over the rounds.

    The plain response model is the regression of the treatment arm: who responds among those who were
    contacted, which is what a company without control group ranks by.
    """
    parameters = parameters or UpliftParameters()
    t_learner, dr_learner, response = (np.zeros(len(outcome)) for _ in range(3))
    for turn in range(parameters.rounds):
        seed = parameters.seed + turn
        fold = stratified_folds(treated, outcome, parameters.folds, 1000 + seed)
        for held in range(parameters.folds):
            here, rest = fold == held, fold != held
            model = fit_uplift(matrix[rest], treated[rest], outcome[rest], probability[rest], parameters)
            t_learner[here] += model.t_learner(matrix[here]) / parameters.rounds
            dr_learner[here] += model.dr_learner(matrix[here]) / parameters.rounds
            response[here] += model.treatment.predict(matrix[here]) / parameters.rounds
    return CrossFittedScores((t_learner + dr_learner) / 2, t_learner, dr_learner, response)


def stratified_folds(treated: Flags, outcome: Floats, folds: int, seed: int) -> NDArray[np.int64]:
    """int64[n]: the fold of each customer, drawn at random within arm and with or without outcome."""
    generator = np.random.default_rng(seed)
    stratum = treated * 2 + (outcome > 0)
    fold = np.empty(len(outcome), dtype=np.int64)
    for value in np.unique(stratum):
        rows = np.flatnonzero(stratum == value)
        fold[rows] = generator.permutation(np.arange(len(rows)) % folds)
    return fold


def _grow(matrix: Floats, target: Floats, parameters: UpliftParameters) -> lightgbm.Booster:
    import lightgbm

    settings = parameters.for_lightgbm(len(matrix))
    data = lightgbm.Dataset(matrix, target, params=settings)
    return lightgbm.train(settings, data, num_boost_round=parameters.trees)
