"""What stands beside the tables of the paper's experiments."""

ABOUT = """\
Small versions of the experiments of Wu, Zhang and Ré (ICLR 2020), by the package's own estimators.
The last table says which of the paper's statements hold. Accuracies and areas under the ROC curve
are in %. Gains are paired: same rows, same seed, "± standard error, how many gain". Learning rates
(LSTM, CNN), penalties (MLP) and whatever else is chosen are so by rows of the training side. Rows
are split by sentence over all six sentiment tasks, which share sentences, unless a table says
otherwise."""

CAPTIONS = {
    "Fig. 3: transfer against the rows of the source": """\
Change of the target's error by a source task, as a share of the target's variance, medians over
seeds; negative is transfer, positive harm. Against least squares of minimum norm on the target's
ten rows. Capacity 1: one direction for both tasks, started from the source's least squares;
penalties: `alpha=head_alpha=100`; "R or none": by the error on ten further rows of the target, a
full alignment with `alignment_alpha` 1 or 10 and these penalties, or the first model. The two
last models have one coefficient vector for both tasks; the ridge penalty is chosen in the same way.
Paper: the source with the target's covariance helps with any number of rows, others hurt until
they have many.""",
    "Fig. 2: transfer against the likeness of the tasks": """\
The same for 200 rows of a source with the target's covariance; one least squares for both.""",
    "Fig. 6: capacity": """\
Mean accuracy of six sentiment tasks, 1000 rows each, by shared capacity r. STL: a model of this
capacity for each task; MTL: one for all. The gain's standard error is over seeds. Net MLP: one
layer over 64 components of frozen sentence features; LSTM: over frozen word-piece vectors. Paper,
LSTM: STL 82.6 with capacities that add up to 1205, MTL 85.1 at r = 100.

Below: MR and SST with 4000 rows each and an LSTM of 64 units. Two thirds of the sentences of MR
are in SST as well. "With the leak" splits each task by itself: test sentences of one task are
training sentences of the other. Paper: MR 76.4 alone and 96.0 with the other tasks.""",
    "Algorithm 1 on 15 pairs of sentiment tasks": """\
Two tasks at a time: mean accuracy, then gains over the controls. Standard errors are over pairs,
whose gains are means over seeds. Controls: one common R, a matrix in front of the shared module
that is the same for both tasks, with the same penalty and learning rate as the R; no R; a model of
the same net for each task alone. The learning rate (MLP: the penalty alpha) is tuned without R and
for single tasks, and R takes the former. Free and penalised: `alignment_alpha` 0.3, and chosen from
10, 100 and 1000 (MLP), or 0.1 and 20 (LSTM, CNN). alternating and after_shared have twice the
epochs of LSTM and CNN, so that B is trained as long. R joint or none: the better of the joint ones
and no R on validation rows over all pairs. Own bases: each task's features are rotated by a matrix
of its own. Two encoders: the second task of a pair has the mean of its word vectors for features.
Similarity: the paper's score of the training rows before and after alignment, and for how many
pairs it rises. Paper: 13 of 15 pairs better by up to 4.1, similarity higher for all 15.""",
    "Transfer from SST to five tasks": """\
Source: 3000 rows of SST; targets: 200 rows each, one at a time, 32 units. Standard errors are over
seeds; the count is of tasks. B, A: the shared module and the head are trained on from the source's.
Paper: up to +2.5 by adding R.""",
    "Ten pairs of GLUE tasks, frozen features": """\
As the sentiment pairs; features are 64 components of [U, V, |U - V|, U * V] of the two sentences'
frozen features, the same components for all tasks. Test rows: the official dev rows. Paper, BERT
fine-tuned: 7 of 10 pairs better, +2.35 on average with all five tasks.""",
    "Pairs of GLUE tasks, upper layers of the encoder trained": """\
The upper two of the six layers of all-MiniLM-L6-v2 are the shared module and trained for three
epochs of 500 rows a task; R acts on the states of the words before them. One learning rate, of
which R takes a tenth: in so few steps it hardly moves, penalised or not. 400 test rows a task: the
standard error of a single accuracy is 2.5.""",
    "Algorithm 2": """\
Mean ROC AUC without weights, and gains over it, ± standard errors over seeds. Hard parameter
sharing with a layer of 8 units and nearly free heads. Noise: five pairs of tasks a seed, 20 % of
the labels of the first one random; or half of the tasks, 50 % of their labels random. Scores are of
all tasks, on clean labels. By validation: the weights among the SVD ones and none that are best on
held-out rows of the training side, with their noise. Paper, ChestX-ray14: +0.4 without noise, +2.4
with 20 % noise over 20 pairs.""",
    "The paper's statements": """\
The verdicts are computed from the tables above. SVD weights: "holds" if the mean over the data
sets is above 0 by two standard errors, four of five sets are above, and none is below by more than
0.3; "holds with conditions" without the first. R: "holds" if at least 13 of 15 pairs gain against
every control. Pairs of a setting share seeds, tasks and single-task models, so that standard errors
over pairs are too small rather than too large.""",
}
