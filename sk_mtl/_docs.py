"""Descriptions of the parameters and attributes that several estimators have in common."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T", bound=type)

_PARTS = {
    "trunk_parameters": """
    hidden_layer_sizes : int or array-like of int, default=(32,)
        Widths of the shared layers. The last one is the capacity r that tasks share (section 2.1
        of the paper: with too much of it they do not transfer). ``()`` gives a linear model.
    activation : {"identity", "logistic", "relu", "tanh"}, default="relu"
        Activation g of the shared layers.
    skip_connection : bool, default=True
        Whether heads see the aligned features themselves beside the shared representation (the
        ``W_i``). The shared layers then add to a linear model, and are penalised some 30 times as
        much. Not for X of more than two dimensions.
    shared_module : torch.nn.Module, callable or None, default=None
        A module in the place of the hidden layers, from (n_rows, n_features) to (n_rows,
        capacity), or a callable that makes one: of no argument, or of the number of features if
        it needs one. An instance is copied, and the penalty ``alpha`` is on the distance from it.
        X may then be of shape (n_samples, ..., n_features), with NaN for all features of a
        position that is padding: the module sees 0 there, and, if its ``forward`` has an argument
        ``mask``, a boolean tensor of shape (n_rows, ...), true where there is no padding.
""",
    "alignment_parameters": """
    alignment : {"auto", "full", "low_rank", "diagonal"} or None, default="auto"
        Form of the alignment: what ``R_i`` may differ by from its start. "auto": none for one
        task or a wide ``y``; for stacked tasks low rank where that has fewer entries, else full.
        None: all ``R_i = I``.
    alignment_alpha : float, default=1000
        Penalty on the squared Frobenius norm of the difference of ``R_i`` from its start.
    alignment_rank : int, default=8
        Rank of the difference for ``alignment="low_rank"``.
    alignment_init : {"identity", "coral"}, default="identity"
        Start of the ``R_i``. "coral": maps that give each task's features the covariance that
        the features have within tasks on average (for an added task, within the fitted tasks).
        With few rows a task's covariance is shrunk towards it.
""",
    "schedule_parameter": """
    alignment_schedule : {"joint", "alternating", "after_shared"}, default="joint"
        How Algorithm 1 goes about B and the ``R_i``. "joint" trains all at once; "alternating"
        B and ``R_i`` by turns, heads always; "after_shared" first B with the ``R_i`` at their
        start, then ``R_i`` and heads with B fixed, each for half of ``max_iter``.
""",
    "task_parameters": """
    task_weight : {"balanced", "uncertainty"}, dict, array-like, SVDTaskReweighter or None, \
default=None
        Weight of each task in the loss. "balanced": each task as a whole counts the same.
        "uncertainty": learned, larger where the task's losses are small (Kendall, Gal and Cipolla
        2018), with mean 1. A dict by task id or an array in the order of ``tasks_``. A reweighter
        is cloned and fitted on the training rows, its weights normalised to mean 1; its
        parameters are those of a nested estimator, ``task_weight__n_components`` and so on.
    task_column : column name or int, default=None
        Column of ``X`` that holds the task ids: a name in a DataFrame, a position in an array
        (-1 is the last column).
""",
    "group_parameter": """
    task_groups : dict, array-like or None, default=None
        Group of each task, by id or in the order of ``tasks_``: tasks of different groups share
        neither B nor a head. See `sk_mtl.diagnostics.group_tasks`. A dict may name tasks that are
        not there, as in folds that lack some. None: all tasks share.
""",
    "scaling_parameter": """
    input_scaling : {"auto", "principal", "standard"} or None, default="auto"
        Linear map of the features, the same for all tasks, to mean squared norm 1. "standard"
        divides by standard deviations, with a floor. "principal" also multiplies by the square
        root of their covariance, so that weights shrink towards its strong directions. The
        outcome of a PCA, recognised by features that are nearly uncorrelated and in the order
        of their variance, is not divided. None: features as they are. "auto" is "principal",
        for the labels of a wide ``y`` "standard", and None with ``shared_module``.
""",
    "training_parameters": """
    solver : {"lbfgs", "adam"}, default="lbfgs"
        "lbfgs" works on all rows at once and suits up to some ten thousand rows; "adam" works in
        batches and allows `partial_fit`.
    batch_size : int or "auto", default="auto"
        Rows per batch for "adam"; "auto" is ``min(200, n_samples)``.
    learning_rate_init : float, default=0.001
        Learning rate of "adam". The ``R_i`` take a tenth of it.
    max_iter : int, default=1000
        Most epochs of "adam", or iterations of "lbfgs".
    tol : float, default=1e-4
        Training ends when ``n_iter_no_change`` epochs have not lowered the loss by this much; with
        ``early_stopping``, have not raised the score by it. "lbfgs" also ends when no entry of
        the gradient, with respect to parameters in units of their prior, exceeds a tenth of it;
        below 1e-4, it takes the loss by ``(100 tol)^2``, so that parameters are that exact too.
    shuffle : bool, default=True
        Whether "adam" draws its batches at random.
    early_stopping : bool, default=False
        Hold out rows, the same share of every class of every task; stop when the score on them
        (accuracy, or R^2 within tasks) no longer rises and keep the best epoch. Callbacks can
        then monitor ``"valid_loss"`` and ``"valid_score"``.
    validation_fraction : float, default=0.1
        Share of the rows that ``early_stopping`` holds out.
    n_iter_no_change : int, default=10
        Epochs without progress after which training ends.
    warm_start : bool, default=False
        Whether `fit` starts from the weights of the last fit. Tasks, labels, the scaling of the
        features and the priors on the biases stay; penalties and task weights may change.
    device : str, default="cpu"
        Device of torch; "auto" takes a GPU if there is one.
    dtype : {"auto", "float32", "float64"}, default="auto"
        Precision of training; "auto" is float64 for "lbfgs" and float32 for "adam".
    callbacks : list of skorch callbacks, default=None
        Called during training, or pairs of a name and a callback. They may end it by raising
        KeyboardInterrupt, as skorch's do. `sk_mtl.callbacks.ResumableFit` lets a fit go on
        after its process was killed. An iteration of "lbfgs" is an epoch of one batch
        without `on_grad_computed`. A scoring function of EpochScoring gets the net, the rows and
        their labels: ``net.predict(X)``, `predict_proba` and `score` are the estimator's.
    net_params : dict, default=None
        Further arguments of the skorch net: ``optimizer`` and what begins with ``optimizer__``,
        ``iterator_train__``, ``iterator_valid__`` or ``callbacks__``, such as
        ``{"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9}``.
    random_state : int, RandomState instance or None, default=None
        Decides the start of the shared layers, the batches and the rows held out. An int gives
        the same model bit for bit, in any process; with another number of torch's threads, within
        rounding.
    verbose : bool or int, default=False
        Whether to print a line per epoch.
""",
    "selective_parameters": """
    cv : int, splitter or iterable, default=5
        Folds: their number (random, of all classes of all tasks alike; of a wide ``y`` of its
        rows), a scikit-learn splitter, or pairs of row numbers.
    scoring : str or callable, default=None
        A scorer of scikit-learn, "roc_auc" say, that a blend is to be good at. Blends are chosen
        by its mean over the folds. None: by the likelihood of the held-out labels, which takes
        fewer rows to tell models apart, and suits accuracy too; but where the ranking of rows
        matters alone, a well-calibrated model can be the worse one.
    blend : bool, default=True
        False: each task takes one of the two models, the one that is more likely to be better.
    task_column : column name or int, default=None
        Column of X that holds the task ids. ``multi_task`` gets X with it if it has a
        ``task_column`` of its own or is a pipeline; else the other columns, and ``task=``.
    n_jobs : int, default=None
        Folds fitted at a time, as in scikit-learn.
    random_state : int, RandomState instance or None, default=None
        Decides the folds, and the chance in the default ``multi_task``.
""",
    "search_parameters": """
    penalties : int or array-like, default=13
        Penalties on a task's weights, ``1 / (1 / alpha + 1 / head_alpha)``: how many between 10
        and 0.001, or which. Each is tried with 0, 50, 80, 95 and 100 % of the weights in common.
    hidden_layer_sizes : int or array-like of int, default=(32,)
        Widths of the shared layers that are tried beside none. ``()`` tries none.
    activation : {"identity", "logistic", "relu", "tanh"}, default="relu"
    alignment : {"auto", "full", "low_rank", "diagonal"} or None, default="auto"
        Alignment that networks with shared layers are tried with, beside none.
    alignment_alphas : array-like, default=(10,)
        Its penalties.
    alignment_rank : int, default=8
    cv : int or None, default=3
        Folds that the networks are compared in, each with the same share of every class of every
        task. None: the network is the linear one, and the average predicts alone.
    task_weight : {"balanced"}, dict, array-like, SVDTaskReweighter or None, default=None
        As in the estimator without CV.
    task_groups : dict, array-like or None, default=None
    task_column : column name or int, default=None
    max_iter : int, default=1000
    tol : float, default=1e-4
        Of the networks, as in the estimator without CV.
    n_jobs : int, default=None
        Networks fitted at a time, as in scikit-learn.
    random_state : int, RandomState instance or None, default=None
        Decides the folds and the start of the shared layers.
""",
    "search_attributes": """
    tasks_ : ndarray of shape (n_tasks,)
    best_estimator_ : estimator
        The network, fitted to all rows: of the penalties of the best linear model, or of 0.2 if
        these are larger, with the trunk and the alignment that are best in cross-validation, or
        linear if these are behind the average. It takes new tasks by its `add_task`, and predicts
        them; this estimator keeps to the tasks that it was fitted on.
    network_share_ : ndarray of shape (n_tasks,)
        Its share in the predictions for each task; the rest is the average's.
    alpha_, head_alpha_ : float
        Penalties of ``best_estimator_``.
    alignment_ : ndarray of shape (n_tasks, n_features, n_features) or None
        Of ``best_estimator_``.
    average_results_ : dict of ndarray
        The linear models that were tried, as columns of a table: the first task and the output
        column that they are for, their features, penalty and sharing, ``score`` (leave-one-out
        log-likelihood of a target, in nats) and their share in the average.
    network_results_ : dict of ndarray
        The networks that were compared: parameters, ``score`` (held-out log-likelihood of a
        target) and the share of the rows that they were tested on before they fell behind.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Only if ``X`` has column names.
""",
    "search_notes": """
    Two kinds of models are fitted, and each does what it is good at.

    The average: linear models ``z (w_0 + v_i) + c_0 + c_i`` over a grid of penalties and of the
    share of the weights that tasks have in common, on four maps z of the features: those of
    ``input_scaling="principal"`` and "standard", of infinitely many rectified linear units (the
    arc-cosine kernel of [2]_), and with each task's features moved and scaled to the others'.
    Each has its optimum by Newton's method, from which its leave-one-out predictions follow
    without another fit, approximately for classes and exactly for values. Predictions are
    averaged with weights ``prior * exp(leave-one-out log-likelihood)``, the prior being for a
    penalty near 0.2: with few rows many models count, with many the best one. Of more than two
    classes, each is told from the others.

    The network: that of the estimator without CV, with the penalties of the best linear model,
    with shared layers, and with alignment. It is blended in for each task as far as held-out rows
    are better predicted so, by empirical Bayes over the tasks. One that is behind the average by
    8 nats in the first folds is not tried in the others.

    With many features or rows, the average sees their strongest 512 directions, or compares rows
    with as many of the training rows.
""",
    "search_references": """
    .. [2] Y. Cho, L. K. Saul, "Kernel Methods for Deep Learning", NIPS 2009.
""",
    "common_attributes": """
    tasks_ : ndarray of shape (n_tasks,)
        Sorted task ids, or the columns of a wide ``y``; then the tasks added by `add_task`.
    task_weight_ : ndarray of shape (n_tasks,)
    task_reweighter_ : estimator
        The fitted ``task_weight``, if that is an estimator.
    alignment_ : ndarray of shape (n_tasks, n_features, n_features) or None
        The ``R_i``, which act on the standardised features.
    feature_mean_ : ndarray of shape (n_features,)
    feature_map_ : ndarray of shape (n_features, n_features) or (n_features,)
        ``z = (x - feature_mean_) @ feature_map_``; a vector is the diagonal of a matrix.
    net_ : skorch.NeuralNet
    module_ : torch.nn.Module
        The trained network.
    n_iter_ : int
        Epochs of the last call of `fit` or `partial_fit`.
    loss_curve_ : list of float
        Loss plus penalty per unit of weight: after each iteration of "lbfgs", on average over
        each epoch of "adam". One entry per call of `partial_fit`. With learned task weights it
        may be negative, as a log-density.
    validation_scores_ : list of float or None
        Score on the rows that ``early_stopping`` holds out, after each epoch.
    n_features_in_ : int
        Number of columns of ``X`` as passed, the task column included; of features, where X has
        more than two dimensions.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Only if ``X`` has column names.
""",
    "paper": """
    .. [1] S. Wu, H. R. Zhang, C. Ré, "Understanding and Improving Information Transfer in
       Multi-Task Learning", ICLR 2020, arXiv:2005.00944.
""",
}


def documented(cls: T) -> T:
    """Fill the ``{parts}`` of a class's docstring in."""
    if cls.__doc__:  # python -OO leaves none
        for name, text in _PARTS.items():
            cls.__doc__ = cls.__doc__.replace(f"    {{{name}}}\n", text.lstrip("\n"))
    return cls
