"""The order of the gallery: what a reader asks first comes first."""

ORDER = (
    "digits_from_five_scanners",
    "few_shot_tasks",
    "missing_labels",
    "grid_search_with_several_scorers",
    "which_tasks_help",
    "selective_transfer",
    "noisy_labeller",
    "misaligned_sensors",
    "how_much_capacity",
    "a_source_that_hurts",
    "new_task_from_an_old_model",
    "sentences_of_word_vectors",
    "five_hundred_tasks",
)


def reading_order(filename: str) -> tuple[int, str]:
    """Where an example stands. New ones that are not named here come last."""
    name = filename.removesuffix(".py")
    return (ORDER.index(name) if name in ORDER else len(ORDER)), name
