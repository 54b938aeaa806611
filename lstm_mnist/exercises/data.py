"""Exercises of notebook 01."""

import numpy as np

from .checker import Exercise

IMAGES = np.random.default_rng(0).integers(1, 256, (20, 28, 28)).astype(np.uint8)


def blank_from_row_15(images):
    blank = images.copy()
    blank[:, 14:] = 0
    return blank


EXERCISES = {
    "01.1": Exercise(
        right=[64, 28, 28],
        praise="64 images, each one sequence of 28 rows with 28 pixels",
        wrong={
            "the 64 asked for is the batch; 128 is only the size used in the lesson": [128, 28, 28],
            "that is the whole training set; next_batch deals a part of it": [55_000, 28, 28],
            "the images are not flattened: an LSTM needs the rows as an axis of their own": [64, 784],
            "an image is one sequence of 28 rows, not 28 sequences: rows and batch stay two axes": [64 * 28, 28],
            "the batch is the first axis, before rows and columns": [28, 64, 28],
            "the batch is the first axis, not the last": [28, 28, 64],
            "that is the shape of one image": [28, 28],
        },
        hint="say it in words first: so many images, each of so many rows, each of so many pixels",
    ),
    "01.2": Exercise(
        right=lambda images: images[:, :14],
        praise="14 rows are left of each image, and all 28 columns",
        wrong={
            "that takes 14 images; the rows are the second axis": lambda images: images[:14],
            "that takes the left half, 14 columns; the rows are the second axis": lambda images: images[:, :, :14],
            "that stops after row 13: a slice leaves out its end": lambda images: images[:, :13],
            "that reads row 15 too: a slice leaves out its end, so the end is 14": lambda images: images[:, :15],
            "those are the lower 14 rows": lambda images: images[:, 14:],
            "the lower rows are blank but still there: the network would read on for 14 rows": blank_from_row_15,
        },
        inputs=((IMAGES,),),
    ),
    "01.3": Exercise(
        right=lambda images: images.transpose(0, 2, 1),
        praise="step t is now column t, from top to bottom; the shape does not show it, as 28 = 28",
        wrong={
            "these are still the rows: reshape, for one, exchanges no axes": lambda images: images,
            ".T turns all three axes round, so the batch comes last": lambda images: images.T,
            "the first axis is the batch and must stay first: exchange the other two": lambda images: images.transpose(
                1, 0, 2
            ),
            "that is the mirror image, still read row by row": lambda images: images[:, :, ::-1],
        },
        inputs=((IMAGES,),),
    ),
    "01.4": Exercise(
        right=6875,
        praise="6,875 batches are 880,000 images, exactly 16 epochs",
        wrong={
            "after 429 batches 88 images of the epoch are left, so batch 430 is mixed": 429,
            "batch 430 holds the last 88 images of the first epoch and 40 of the second": 430,
            "batches are whole: find the first epoch whose end is a multiple of 128": 55_000 / 128,
            "that is 430 for each epoch; but the batches go on, so an epoch begins inside a batch": 16 * 430,
            "that is the number of epochs; how many batches are they?": 16,
            "that is the number of images; how many batches are they?": 880_000,
        },
        hint="find the smallest number of images that is a multiple of both 55,000 and 128, then count its batches",
    ),
}
