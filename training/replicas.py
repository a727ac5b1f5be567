"""Averages over the replicas of a training that tf.distribute splits."""

from __future__ import annotations

import keras


def replica_mean(x):
    """The mean of a scalar over all replicas, to each of them.

    JAX's SPMD programs see the whole batch in one piece, and so does a single TensorFlow
    replica: there `x` comes back as it is. Under tf.distribute each replica sees its share.
    """
    if keras.backend.backend() != "tensorflow":
        return x
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return x
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, x)
